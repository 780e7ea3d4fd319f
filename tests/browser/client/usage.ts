// What a web app does with this API, in the types that its OpenAPI document says. Compiled, not run.

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema";

type JobEvent = components["schemas"]["JobEvent"];
type Problem = components["schemas"]["Problem"];

const api = createClient<paths>({ baseUrl: "http://127.0.0.1:8000/api" });

export function told(problem: Problem): string {
  const [fault] = problem.errors ?? [];
  return fault ? `${problem.title}: ${fault.pointer} (${fault.code})` : problem.detail;
}

export async function clips(): Promise<string[]> {
  const { data, error } = await api.GET("/tokens", { params: { query: { limit: 20 } } });
  if (error) throw new Error(told(error));
  return data.map((clip) => `${clip.actor_name}: ${clip.token_name} ${clip.youtube_url.split("v=")[1]}`);
}

export async function sentences(tokenId: number): Promise<[string, number][]> {
  const { data } = await api.GET("/tokens/{token_id}", { params: { path: { token_id: tokenId } } });
  return (data?.scripts ?? []).map((sentence) => [sentence.script, sentence.words.length]);
}

export async function upload(scriptId: number, recording: Blob): Promise<string> {
  const { data, error } = await api.POST("/scripts/{script_id}/upload-audio", {
    params: { path: { script_id: scriptId } },
    body: { file: recording as unknown as string },
    bodySerializer: () => {
      const form = new FormData();
      form.append("file", recording, `script_${scriptId}.wav`);
      return form;
    },
  });
  if (error) throw new Error(told(error));
  return data.job_id;
}

export function follow(jobId: string, each: (event: JobEvent) => void): EventSource {
  const source = new EventSource(`http://127.0.0.1:8000/api/scripts/analysis-progress/${jobId}`);
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data) as JobEvent;
    each(event);
    if (event.status !== "processing") source.close();
  };
  return source;
}

export async function bookmark(tokenId: number, token: string): Promise<"added" | "there already"> {
  const { response, error } = await api.POST("/mypage/bookmarks", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { token_id: tokenId },
    headers: { Authorization: `Bearer ${token}` },
  });
  if (response.status === 409) return "there already";
  if (error) throw new Error(told(error));
  return "added";
}

export async function notThere(): Promise<void> {
  // @ts-expect-error: no such path
  await api.GET("/nothing/of/the/kind");
  // @ts-expect-error: an id is a number
  await api.GET("/tokens/{token_id}", { params: { path: { token_id: "seven" } } });
  // @ts-expect-error: a bookmark names a clip
  await api.POST("/mypage/bookmarks", { body: {} });
}
