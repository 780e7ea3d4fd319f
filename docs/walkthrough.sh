#!/usr/bin/env bash
# A walk through the API with curl: what a learner does, then what an admin does. It ends with an error where an answer
# has another status than is said here, and leaves nothing behind but a learner with a dubbing, an admin and a view.
#
#     make run                  # in another terminal
#     docs/walkthrough.sh
#
# It needs curl and python3. The server is the one that runs under YOUSYNC_DATA (.yousync); API, ISSUER and YOUSYNC
# name another one, what stands in for Google there, and the `yousync` command that knows it.
set -euo pipefail
cd "$(dirname "$0")/.."

# pick FILE KEY...: one value of a JSON file, as in `pick reply.json words 0 word`
pick() {
    python3 -IS -c '
import json, sys
found = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    found = found[int(key) if isinstance(found, list) else key]
print(found)' "$@"
}

stack=${YOUSYNC_DATA:-.yousync}/stack.json
api=${API:-$(pick "$stack" url)}
issuer=${ISSUER:-$(pick "$stack" parts issuer url)}
yousync=${YOUSYNC:-.venv/bin/yousync}
recordings=yousync/demo/recordings
reply=$(mktemp) etag=$(mktemp)
trap 'rm -f "$reply" "$etag"' EXIT
learner=() # the header that says who asks, once there is one
json=(-H 'Content-Type: application/json')

say() { printf '\n%s\n' "$*"; }

# call STATUS METHOD PATH [more for curl]: sends one request; STATUS may be several, as in 200|503
call() {
    local expected=$1 method=$2 path=$3 status
    shift 3
    status=$(curl -sS --max-time 90 -o "$reply" -w '%{http_code}' -X "$method" "$@" "$api$path")
    printf '  %s  %-6s %s\n' "$status" "$method" "${path/ticket=*/ticket=...}"
    if ! [[ $status =~ ^($expected)$ ]]; then
        printf '  expected %s; the answer was: %s\n' "$expected" "$(<"$reply")" >&2
        exit 1
    fi
}

# value KEY...: one value of the last answer
value() { pick "$reply" "$@"; }

# follow PATH: prints a job's stream until the server ends it, and fails unless the job was completed
follow() {
    printf '  ...  GET    %s\n' "$1"
    curl -sSN --max-time 90 "${learner[@]}" "$api$1" |
        python3 -IS -c '
import json, sys
told = {}
for line in sys.stdin:
    if line.startswith("data: "):
        told = json.loads(line.removeprefix("data: "))
        print("       ", told["status"], told["progress"], told["message"], flush=True)
sys.exit(told.get("status") != "completed")'
}

say "Is it there? /docs shows all of it in a browser"
call 200 GET /readyz
call 200 GET /livez
call 200 GET /health
call 200 GET /
call 200 GET /docs
call 200 GET /redoc
call 200 GET /openapi.json

say "Sign in as a page does it: Google's ID token becomes an access token of ours"
who=walker-$(date +%s)-$$
curl -sS "$issuer/token" -d "{\"sub\": \"$who\", \"email\": \"$who@example.com\", \"name\": \"Walker\"}" -o "$reply"
call 200 POST /auth/google "${json[@]}" -d "{\"id_token\": \"$(value id_token)\"}"
learner=(-H "Authorization: Bearer $(value access_token)")
call 401 GET /auth/me
call 200 GET /auth/me "${learner[@]}"

say "Look for a clip"
call 200 GET '/tokens?limit=3'
call 200 GET /tokens/latest
call 200 GET /tokens/popular
call 200 GET /tokens/sync-collection
call 200 GET /tokens/category/%EB%A1%9C%EB%A7%A8%EC%8A%A4 # 로맨스
call 200 GET '/actors?limit=3'
call 200 GET /actors/search/mina
call 200 GET /actors/MinaHarper
call 200 GET /duet/scenes
call 200 POST /urls/check "${json[@]}" -d '{"youtube_url": "https://youtu.be/YouSyncDm01"}'
call 200 GET '/urls/tokens?youtube_url=https://youtu.be/YouSyncDm01'
token=$(value 0 id)

say "Open it: sentences, words and pitch in one answer. What has not changed is not sent again"
call 200 GET "/tokens/$token" --etag-save "$etag"
script=$(value scripts 1 id)
echo "       " "$(value scripts 1 script)"
call 304 GET "/tokens/$token" --etag-compare "$etag"
call 200 GET "/tokens/$token/related"
call 200 GET "/scripts/$script"
call 200 GET '/scripts?limit=3'
call 200 POST "/tokens/$token/view"
call 404 GET /tokens/2147483647
echo "       " "$(value detail) ($(value code))"

say "Keep it. The same request under the same key is answered in the same way and done once"
for _ in once again; do
    call 201 POST /mypage/bookmarks "${learner[@]}" "${json[@]}" -H "Idempotency-Key: $who" -d "{\"token_id\": $token}"
done
call 200 GET /mypage/bookmarks "${learner[@]}"

say "Record a sentence, and follow it until its scores are there"
call 202 POST "/scripts/$script/upload-audio" "${learner[@]}" -F "file=@$recordings/last-train-home-1.wav"
job=$(value job_id)
follow "/scripts/analysis-progress/$job"
call 200 GET "/scripts/analysis-result/$job" "${learner[@]}"
echo "        overall score:" "$(value result result overall_score)"

say "Where no header can be sent, a ticket says for a minute who asks. Results come from the analysis server alone"
call 200 POST "/jobs/$job/ticket" "${learner[@]}"
call 200 GET "/scripts/analysis-result/$job?ticket=$(value ticket)"
call 401 POST "/scripts/webhook/analysis-complete?job_id=$job" "${json[@]}" -d '{"result": {"overall_score": 1}}'
call 401 POST "/tokens/webhook/analysis-complete?job_id=$job" "${json[@]}" -d '{"result": {"overall_score": 1}}'

say "Record two clips at once, and see how both stand"
call 200 GET '/urls/tokens?youtube_url=https://youtu.be/YouSyncDm02'
other=$(value 0 id)
call 202 POST /tokens/batch-upload "${learner[@]}" -F "token_ids=$token,$other" \
    -F "files=@$recordings/last-train-home-0.wav" -F "files=@$recordings/the-harbor-job-0.flac"
first=$(value job_ids 0) second=$(value job_ids 1)
follow "/tokens/analysis-progress/$first"
follow "/tokens/analysis-progress/$second"
call 200 GET "/tokens/batch-progress?job_ids=$first,$second" "${learner[@]}"
echo "        completed:" "$(value summary completed)" of "$(value summary total_jobs)"

say "Record a whole clip"
call 202 POST "/tokens/$token/upload-audio" "${learner[@]}" -F "file=@$recordings/last-train-home-0.wav"
call 200 GET "/tokens/analysis-result/$(value job_id)"

say "My page"
call 200 GET /mypage/overview "${learner[@]}"
call 200 GET /mypage/my-dubbed-tokens "${learner[@]}"
call 200 GET "/mypage/tokens/$token/analysis-status" "${learner[@]}"
call 200 GET "/tokens/$token/user-audios" "${learner[@]}"
call 200 GET "/score/$token/score" "${learner[@]}"
call 200 GET /score/me/average "${learner[@]}"
call 200 GET /score/leaderboard/top-recorders

say "Dub the clip with one's own voice, without waiting; whoever waits is given the link at once"
call 202 POST "/synthesize/$token" "${learner[@]}" -H 'Prefer: respond-async'
dubbing=$(value job_id)
follow "/synthesize/jobs/$dubbing/progress"
call 200 GET "/synthesize/jobs/$dubbing" "${learner[@]}"
call 200 POST "/synthesize/$token" "${learner[@]}"
call 200 GET "/tokens/$token/latest-dubbing" "${learner[@]}"
curl -sSf --max-time 30 -o "$reply" -w '  %{http_code}  GET    the dubbing, %{size_download} bytes\n' "$(value url)"

say "Hand in a video; without a preprocess server there is nobody to make clips of it"
video='{"youtube_url": "https://youtu.be/dQw4w9WgXcQ", "movie_name": "A film", "actor_name": "Somebody"}'
call '202|503' POST /youtube/process "${learner[@]}" "${json[@]}" -d "$video"
nobodys=00000000000000000000000000000000
call 404 GET "/youtube/process-status/$nobodys"
call 404 GET "/youtube/process-progress/$nobodys"
call 401 POST "/youtube/webhook/process-complete?job_id=$nobodys" "${json[@]}" -d "{\"token_ids\": [$token]}"

say "Ask for a video"
wish='{"actor": "Mina Harper", "content": "이 장면으로 연습하고 싶어요", "url": "https://youtu.be/YouSyncDm01"}'
call 200 POST /request "${learner[@]}" "${json[@]}" -d "$wish"
request=$(value id)
call 200 GET /request/mine "${learner[@]}"
call 200 GET /request/all "${learner[@]}"

say "An admin adds a clip with a sentence and its words, changes both, and takes them away again"
admin=(-H "Authorization: Bearer $($yousync token walkthrough-admin@example.com --admin)")
call 403 POST /tokens "${learner[@]}" "${json[@]}" -d '{}'
clip='{"token_name": "A walk", "actor_name": "Mina Harper", "start_time": 1, "end_time": 3,
  "youtube_url": "https://youtu.be/YouSyncDm01"}'
call 200 POST /tokens "${admin[@]}" "${json[@]}" -d "$clip"
added=$(value id)
words='[{"word": "Keep", "start_time": 1, "end_time": 1.5}, {"word": "walking", "start_time": 1.5, "end_time": 2.5}]'
call 200 POST /scripts "${admin[@]}" "${json[@]}" \
    -d "{\"token_id\": $added, \"start_time\": 1, \"end_time\": 3, \"script\": \"Keep walking.\", \"words\": $words}"
line=$(value id)
call 200 PUT "/scripts/$line" "${admin[@]}" "${json[@]}" \
    -d "{\"token_id\": $added, \"start_time\": 1, \"end_time\": 3, \"script\": \"Keep walking!\"}"
call 200 GET "/scripts/token/$added"
call 200 PUT "/tokens/$added" "${admin[@]}" "${json[@]}" -d "${clip/A walk/A long walk}"
call 200 DELETE "/scripts/$line" "${admin[@]}"
call 200 DELETE "/tokens/$added" "${admin[@]}"
call 400 POST /actors "${admin[@]}" "${json[@]}" -d '{"name": "Mina Harper"}' # who is there already

say "The admin says no to the video, so the learner may take the request back"
call 200 PATCH "/request/$request/status" "${admin[@]}" "${json[@]}" -d '{"status": "거절됨"}'
call 200 DELETE "/request/$request" "${learner[@]}"

say "The admin looks at the jobs"
call 200 GET '/admin/jobs?limit=5' "${admin[@]}"
call 200 GET "/admin/jobs/$job" "${admin[@]}"
call 200 GET /admin/stages "${admin[@]}"
call 200 GET /admin/stats "${admin[@]}"
call 200 GET /admin/workers "${admin[@]}"
call 200 GET /tokens/queue/status "${admin[@]}"
call 200 POST /scripts/cleanup/anonymous-results "${admin[@]}"

say "Clean up, take a new access token, and sign out: then none of them is good for anything"
call 204 DELETE "/mypage/tokens/$token/my-results" "${learner[@]}"
call 204 DELETE "/mypage/tokens/$other/my-results" "${learner[@]}"
call 204 DELETE "/mypage/bookmarks/$token" "${learner[@]}"
call 200 POST /auth/refresh "${learner[@]}"
fresh=(-H "Authorization: Bearer $(value access_token)")
call 200 POST /auth/logout "${fresh[@]}"
call 401 GET /auth/me "${learner[@]}"

say "That was all of it."
