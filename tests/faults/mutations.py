"""The service made wrong on purpose: each mutation takes one promise away, and names the test that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """What is wrong (`name`): in `file`, `right` is replaced by `wrong`, in all its `count` places.

    `test` is the id of the test that must turn red, in the cases of its own that `only` names a part of.
    """

    name: str
    file: str
    right: str
    wrong: str
    test: str
    only: str = ""
    count: int = 1

    @override
    def __str__(self) -> str:
        return self.name

    def apply(self, root: Path) -> str:
        """Make the file under `root` wrong; what it said before. Raises LookupError where the code has moved on."""
        file = root / self.file
        text = file.read_text()
        if text.count(self.right) != self.count:
            raise LookupError(f"the code moved on: update the mutation {self.name!r} of {self.file}")
        file.write_text(text.replace(self.right, self.wrong))
        return text


_STORE: Final = "tests/jobs/test_store.py::"
_ACTORS: Final = "tests/jobs/test_actors.py::"
_RECONCILER: Final = "tests/jobs/test_reconciler.py::"
_ROW: Final = "tests/models/test_analysis_result.py::"
_WEBHOOK: Final = "tests/web/test_receipts.py::"
_HERE: Final = "tests/faults/"

_ACCEPTING: Final = (
    Mutation(
        name="an accepted upload is handed to nobody",
        file="jobs/lua/record.lua",
        right="dispatch(id, step(id, false, a.target, 'accept', fields, {}))",
        wrong="step(id, false, a.target, 'accept', fields, {})",
        test=f"{_STORE}TestAccepting::test_one_step_makes_record_event_and_hand_over",
    ),
    Mutation(
        name="the same upload again is another job",
        file="jobs/lua/record.lua",
        right="return state and not a.dead[state] and known or nil",
        wrong="return nil",
        test=f"{_STORE}TestAccepting::test_fifty_at_once_are_one_job",
    ),
    Mutation(
        name="the row is written before the record",
        file="jobs/engine.py",
        right="""\
        accepted = await self._deps.store.accept(job, audio, owner_limit=self._limit(job))
        await self._recorded(accepted, new=accepted.id == job.id)
""",
        wrong="""\
        await self._recorded(job, new=True)
        accepted = await self._deps.store.accept(job, audio, owner_limit=self._limit(job))
""",
        test="tests/web/test_uploads.py::TestAccepted::test_the_same_bytes_again_are_the_same_job",
    ),
    Mutation(
        name="the row is left to the end of the job",
        file="jobs/engine.py",
        right="await record_accepted(job)",
        wrong="pass",
        test=f"{_RECONCILER}test_a_job_whose_audio_is_lost_ends_with_a_plea",
    ),
    Mutation(
        name="as much of a batch is accepted as there is room for",
        file="jobs/lua/record.lua",
        right="+ #new > a.owner_limit then",
        wrong=">= a.owner_limit then",
        test="tests/web/test_batches.py::test_a_learner_s_limit_holds_for_the_whole_batch",
    ),
    Mutation(
        name="staged audio goes by itself although its job was accepted",
        file="jobs/lua/record.lua",
        right="redis.call('PEXPIRE', a.audio_key, a.audio_ms) == 0",
        wrong="redis.call('EXISTS', a.audio_key) == 0",
        test=f"{_STORE}TestAccepting::test_one_step_makes_record_event_and_hand_over",
    ),
    Mutation(
        name="audio that nobody accepted stays in the Valkey it has to itself",
        file="jobs/store.py",
        right="keys.audio(job_id), audio, px=STAGING_MS)",
        wrong="keys.audio(job_id), audio, px=self._audio_ms)",
        test="tests/e2e/test_staging.py::test_what_nobody_accepted_goes_by_itself",
    ),
    Mutation(
        name="jobs are accepted to the last byte of Valkey",
        file="jobs/room.py",
        right="if self._full:",
        wrong="if False:",
        test=f"{_STORE}TestAccepting::test_a_valkey_that_is_nearly_full_takes_no_more_jobs_and_moves_those_it_has",
    ),
    Mutation(
        name="staged audio goes before S3 has it",
        file="jobs/stages/upload.py",
        right="    if audio is not None:\n",
        wrong="    if audio is not None:\n        await deps.store.unstage(job.id)\n",
        test=f"{_ACTORS}test_uploads_are_accepted_while_s3_is_away_and_stored_when_it_is_back",
    ),
)
_WORKING: Final = (
    Mutation(
        name="a worker that lost its claim may write",
        file="jobs/lua/record.lua",
        right="if not record[1] or record[2] ~= a.claim then",
        wrong="if not record[1] then",
        count=2,
        test=f"{_STORE}TestClaiming::test_a_lapsed_lease_goes_to_the_next_and_fences_the_first",
    ),
    Mutation(
        name="a hand-over claims whatever version it finds",
        file="jobs/lua/record.lua",
        right="if tonumber(record[6]) ~= a.version or not a.claims[record[1]] then",
        wrong="if not a.claims[record[1]] then",
        test=f"{_STORE}TestClaiming::test_a_hand_over_of_an_older_version_finds_nothing_to_do",
    ),
    Mutation(
        name="no lease is renewed",
        file="jobs/actors.py",
        right="loop.call_later(every, begin)",
        wrong="loop.call_later(86_400, begin)",
        test=f"{_ACTORS}TestLeases::test_a_long_stage_keeps_its_lease",
    ),
    Mutation(
        name="nobody sweeps",
        file="jobs/worker.py",
        right='asyncio.create_task(_again("sweep", lambda: _sweep_forever(deps))),',
        wrong="",
        test=f"{_ACTORS}TestLeases::test_a_frozen_worker_is_overtaken_and_fenced",
    ),
    Mutation(
        name="what a dead worker had taken is not handed over again",
        file="jobs/lua/clock.lua",
        right="and redis.call('EXISTS', 'arq:in-progress:' .. last) == 0 then",
        wrong="then",
        test=f"{_STORE}TestHandingOver::test_what_a_dead_worker_had_taken_from_the_queue_is",
    ),
    Mutation(
        name="a deploy counts as a try",
        file="jobs/actors.py",
        right="asyncio.shield(deps.store.move(job, Move.RELEASE))",
        wrong="asyncio.shield(deps.store.move(job, Move.RELEASE, tries=job.tries + 1))",
        test=f"{_ACTORS}TestDeploys::test_a_worker_that_goes_hands_its_job_back_and_burns_nothing",
    ),
    Mutation(
        name="the breaker never opens",
        file="jobs/lua/lines.lua",
        right="redis.call('SCARD', suspects) < a.breaker_jobs then",
        wrong="redis.call('SCARD', suspects) < 1e9 then",
        test="tests/jobs/test_breaker.py::TestOpening::test_several_different_jobs_in_a_row_open_it",
    ),
    Mutation(
        name="places go by arrival",
        file="jobs/lua/lines.lua",
        right="math.max(served, last) + 1",
        wrong="redis.call('INCR', P .. 'seq')",
        test="tests/jobs/test_lines.py::TestPlaces::test_who_queues_hundreds_is_overtaken_by_who_queues_one",
    ),
)
_ASKING: Final = (
    Mutation(
        name="the analysis server is asked before the record says so",
        file="jobs/stages/submit.py",
        right="""\
    asked = await ask_once_more(deps, job)
    try:
        reply = await deps.analysis.ask(asked, question)
""",
        wrong="""\
    try:
        reply = await deps.analysis.ask(job, question)
        asked = await ask_once_more(deps, job)
""",
        test=f"{_ACTORS}TestDeploys::test_a_worker_that_goes_in_the_middle_of_a_request_leaves_word_of_it",
    ),
    Mutation(
        name="a request that was cut off counts as not made",
        file="jobs/stages/submit.py",
        right="except (Down, Transient):",
        wrong="except (Down, Transient, Unclear):",
        test=f"{_ACTORS}TestCutConnections::test_what_may_have_been_taken_is_not_asked_again",
    ),
    Mutation(
        name="a message whose connection was reset counts as never sent",
        file="yousync/queueing.py",
        right='return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)',
        wrong="return True",
        test="tests/web/test_queue.py::"
        "test_a_connection_that_ends_after_the_request_does_not_say_whether_it_was_taken[1]",
    ),
    Mutation(
        name="what lies in the queue is asked for again",
        file="jobs/stages/submit.py",
        right="settings.analysis_status_url and not deps.analysis.queues(job)",
        wrong="settings.analysis_status_url",
        test="tests/web/test_queue.py::"
        "test_what_lies_in_the_queue_is_not_asked_for_again_because_the_server_has_not_heard_of_it",
    ),
    Mutation(
        name="any number of requests is out at once",
        file="jobs/lua/lines.lua",
        right="limit - in_flight(stage)",
        wrong="math.huge",
        test=f"{_STORE}TestClaiming::test_only_so_many_are_out_at_the_analysis_server",
    ),
    Mutation(
        name="a server that never answers is asked for ever",
        file="jobs/stages/submit.py",
        right="may_ask = job.asks < settings.analysis_asks",
        wrong="may_ask = True",
        test=f"{_ACTORS}TestResultsThatDoNotCome::test_it_is_asked_for_so_often_and_then_parked",
    ),
)
_RESULTS: Final = (
    Mutation(
        name="a webhook is answered before it is durable",
        file="web/routes/webhooks.py",
        right="delivery = await request.app[ENGINE].deliver(query.job_id, body)",
        wrong="""\
delivery = Delivery.DELIVERED
    import asyncio
    asyncio.create_task(request.app[ENGINE].deliver(query.job_id, body))""",
        test=f"{_WEBHOOK}test_without_valkey_it_is_to_be_sent_again",
    ),
    Mutation(
        name="anybody may send a webhook",
        file="web/routes/webhooks.py",
        right="if not webhooks.verify(settings, query.job_id, query.token):",
        wrong="if not query.token:",
        test=f"{_WEBHOOK}test_the_token_of_another_job_is_no_token",
    ),
    Mutation(
        name="a later result goes over the one that was taken",
        file="jobs/lua/record.lua",
        right="local early = a.keeps[source]",
        wrong="redis.call('SET', inbox_key(id), body)\n  local early = a.keeps[source]",
        test=f"{_STORE}TestDelivering::test_of_fifty_results_at_once_one_counts",
    ),
    Mutation(
        name="a result whose record is lost is thrown away",
        file="jobs/engine.py",
        right="        await self._deps.store.keep_for_lost(job_id, body)\n",
        wrong="",
        test=f"{_WEBHOOK}test_a_result_whose_record_is_lost_is_kept_for_its_row",
    ),
    Mutation(
        name="a job ends before Postgres has its result",
        file="jobs/stages/persist.py",
        right="        state = await record_conclusion(",
        wrong="""\
        await deps.store.conclude(job, conclusion.state, code=conclusion.code)
        state = await record_conclusion(""",
        test=f"{_ACTORS}test_nobody_is_told_before_postgres_has_the_result",
    ),
    Mutation(
        name="a dubbing that failed is the learner's",
        file="models/analysis_result.py",
        right="FROM concluded WHERE state = 'completed'",
        wrong="FROM concluded WHERE state <> ''",
        test="tests/jobs/test_kinds.py::test_a_dubbing_that_failed_is_nobody_s",
    ),
    Mutation(
        name="an older run goes over a newer one",
        file="models/analysis_result.py",
        right="kept.run < EXCLUDED.run OR",
        wrong="kept.run <> EXCLUDED.run OR",
        test=f"{_ROW}test_a_newer_run_goes_over_an_older_one_and_never_back",
    ),
    Mutation(
        name="a deleted result is written back",
        file="models/analysis_result.py",
        right="WHERE kept.deleted_at IS NULL\n  AND",
        wrong="WHERE",
        test=f"{_ROW}test_a_deleted_result_is_not_written_back",
    ),
)
_LOSING_VALKEY: Final = (
    Mutation(
        name="nobody reconciles",
        file="jobs/worker.py",
        right="asyncio.create_task(reconcile_forever(deps, identity)),",
        wrong="",
        test="tests/faults/test_again.py::TestValkeyWiped::test_audio_in_s3_is_enough",
    ),
    Mutation(
        name="an S3 that does not answer has lost the audio",
        file="jobs/reconciler.py",
        right="failure.code)\n        return\n",
        wrong="failure.code)\n        size = None\n",
        test=f"{_RECONCILER}test_an_s3_that_does_not_answer_means_unknown",
    ),
    Mutation(
        name="rows of a Valkey that lives are adopted by another",
        file="jobs/reconciler.py",
        right="ours or not await lived_on(connection, row.incarnation)",
        wrong="True",
        test=f"{_RECONCILER}test_rows_of_another_valkey_are_its_own_while_somebody_lives_there",
    ),
    Mutation(
        name="a Valkey with an older memory is believed",
        file="jobs/worker.py",
        right="await healed(self._deps)",
        wrong="pass",
        test="tests/jobs/test_worker.py::test_what_has_ended_in_postgres_is_not_done_again_by_an_older_memory",
    ),
)
_STREAMS: Final = (
    Mutation(
        name="a stream misses what happened while its process heard nothing",
        file="web/hub.py",
        right="self._stale |= dict.fromkeys(self._topics)",
        wrong="pass",
        test="tests/web/test_jobs.py::test_what_happens_while_the_process_hears_nothing_is_told_afterwards",
    ),
    Mutation(
        name="a stream goes back to what was true earlier",
        file="web/hub.py",
        right="or (frame.version < last.version and not frame.final)",
        wrong="",
        test="tests/web/test_hub.py::test_nothing_is_told_twice_and_nothing_older_than_what_was_told",
    ),
)
_OPERATORS: Final = (
    Mutation(
        name="an operator's command that is sent twice is done twice",
        file="jobs/lua/operators.lua",
        right="return redis.call('HGET', job_key(id), 'operation') == a.op",
        wrong="return false",
        test="tests/jobs/test_twice.py::test_a_restart_is_one",
    ),
    Mutation(
        name="a deletion does not wait for an upload under way",
        file="jobs/lua/operators.lua",
        right="if WRITING[source] and record[2] ~= '' then",
        wrong="if false then",
        test="tests/jobs/test_deleting.py::test_an_upload_that_may_be_writing_to_s3_at_this_moment_is_waited_for",
    ),
)
_FAULTS: Final = (
    Mutation(
        name="a record ends before its row does",
        file="jobs/stages/persist.py",
        right="        state = await record_conclusion(",
        wrong="""\
        await deps.store.conclude(job, conclusion.state, code=conclusion.code)
        state = await record_conclusion(""",
        test=f"{_HERE}test_kill.py::test_a_kill_at_any_point_loses_nothing",
        only="straight one row.conclude.before:1",
    ),
    Mutation(
        name="an answer that got lost is asked for again",
        file="jobs/stages/submit.py",
        right="        if deps.settings.analysis_idempotent:\n            raise\n",
        wrong="        raise\n",
        test=f"{_HERE}test_cut.py::test_a_lost_reply_loses_nothing[analysis, asks once, 1]",
        only="asks once",
    ),
    Mutation(
        name="a message that got lost on its way to the queue is sent again behind our back",
        file="yousync/queueing.py",
        right='retries={"max_attempts": 0,',
        wrong='retries={"max_attempts": 1,',
        test=f"{_HERE}test_cut.py::test_a_lost_reply_loses_nothing[queue, asks by queue, 1]",
        only="asks by queue",
    ),
    Mutation(
        name="a video that may have been taken is handed in again",
        file="jobs/stages/preprocess.py",
        right="except (Down, Transient):",
        wrong="except (Down, Transient, Unclear):",
        test=f"{_HERE}test_cut.py::test_a_lost_reply_loses_nothing[video, looks up, 1]",
        only="video",
    ),
    Mutation(
        name="a worker that goes keeps its jobs",
        file="jobs/actors.py",
        right="await asyncio.shield(deps.store.move(job, Move.RELEASE))",
        wrong="pass",
        test=f"{_HERE}test_deploy.py::test_deploys_cost_nothing",
    ),
    Mutation(
        name="a worker that slept writes all the same",
        file="jobs/lua/record.lua",
        right="if not record[1] or record[2] ~= a.claim then",
        wrong="if not record[1] then",
        count=2,
        test=f"{_HERE}test_outages.py::test_a_worker_that_slept_through_its_lease_can_do_no_harm",
    ),
    Mutation(
        name="jobs pay for an outage",
        file="jobs/lua/lines.lua",
        right="redis.call('SCARD', suspects) < a.breaker_jobs then",
        wrong="redis.call('SCARD', suspects) < 1e9 then",
        test=f"{_HERE}test_long_outages.py::test_an_outage_costs_time_and_nothing_else[analysis answers 500]",
        only="analysis answers 500",
    ),
    Mutation(
        name="whoever comes later waits for all who came before",
        file="jobs/lua/lines.lua",
        right="math.max(served, last) + 1",
        wrong="redis.call('INCR', P .. 'seq')",
        test=f"{_HERE}test_fairness.py::test_one_owners_hundreds_do_not_make_another_wait",
    ),
    Mutation(
        name="uploads are held without a budget",
        file="web/uploads.py",
        right="if self.in_flight - held + wanted > self.limit:",
        wrong="if False:",
        test=f"{_HERE}test_overload.py::test_more_uploads_at_once_than_fit",
    ),
    Mutation(
        name="a restored record is not healed",
        file="jobs/lua/record.lua",
        right="or tonumber(record[2]) > a.run then return { 'current' } end",
        wrong="or tonumber(record[2]) >= a.run then return { 'current' } end",
        test=f"{_HERE}test_restored.py::test_what_ended_since_the_backup_stays_ended[False]",
        only="False",
    ),
    Mutation(
        name="the jobs of a stack that lives are adopted",
        file="jobs/reconciler.py",
        right="ours or not await lived_on(connection, row.incarnation)",
        wrong="True",
        test=f"{_HERE}test_two_stacks.py::test_a_second_valkey_on_the_same_database",
    ),
    Mutation(
        name="a webhook is thanked for while Valkey is away",
        file="web/routes/webhooks.py",
        right="delivery = await request.app[ENGINE].deliver(query.job_id, body)",
        wrong="""\
delivery = Delivery.DELIVERED
    import asyncio
    asyncio.create_task(request.app[ENGINE].deliver(query.job_id, body))""",
        test=f"{_HERE}test_webhook_matrix.py::test_a_webhook_while_valkey_is_away",
    ),
    Mutation(
        name="the clock is that of whoever asks",
        file="jobs/lua/base.lua",
        right="local now = time[1] * 1000 + math.floor(time[2] / 1000)",
        wrong="local now = cjson.decode(a.payload).et",
        test=f"{_HERE}test_clock_and_keys.py::test_hosts_whose_clocks_are_an_hour_off[-3600.0]",
        only="-3600",
    ),
    Mutation(
        name="a row forgets how its job ended before that goes on",
        file="jobs/ops.py",
        right="        job = await self._with_audio(job, stage)\n",
        wrong="""\
        job = await self._with_audio(job, stage)
        await AnalysisResult.filter(job_id=job_id).update(state="uploaded")
""",
        test=f"{_HERE}test_operators.py::test_an_action_killed_halfway[retry-record.restart.before]",
        only="record.restart.before",
    ),
)
_AUTH: Final = "tests/web/test_auth.py::"
_GOOGLE: Final = "tests/yousync/test_google.py::"
_PEOPLE: Final = (
    Mutation(
        name="whoever signed out is still in",
        file="models/session.py",
        right="FROM users u JOIN sessions s ON s.user_id = u.id WHERE s.id = $2 AND u.id = $1",
        wrong="FROM users u WHERE $2 <> '' AND u.id = $1",
        test=f"{_AUTH}test_after_signing_out_no_token_of_the_session_is_good[/auth/logout]",
    ),
    Mutation(
        name="whoever was deactivated is still in",
        file="models/session.py",
        right=" AND u.is_active",
        wrong="",
        test=f"{_AUTH}test_a_deactivated_learner_is_out_with_the_next_request",
    ),
    Mutation(
        name="an expired token is good for ever",
        file="models/session.py",
        right='found[0]["age"] > AGAIN',
        wrong="False",
        test=f"{_AUTH}test_a_stolen_token_ends_the_session_of_both",
    ),
    Mutation(
        name="each tab gets a session's next token of its own",
        file="web/auth.py",
        right="token_id=successor_of(caller.token_id),",
        wrong="",
        test=f"{_AUTH}test_many_tabs_at_once_get_one_successor",
    ),
    Mutation(
        name="a token chooses what it is",
        file="yousync/identity.py",
        right='if header.get("typ") != kind:',
        wrong="if False:",
        test="tests/yousync/test_identity.py::test_what_we_did_not_make_is_refused[a ticket]",
    ),
    Mutation(
        name="tokens that Google made for others sign in here",
        file="yousync/google.py",
        right="audience=self._client_ids,",
        wrong="",
        test=f"{_GOOGLE}TestTokens::test_that_say_anything_else_are_refused",
    ),
    Mutation(
        name="an e-mail that anybody may have typed opens an account",
        file="yousync/google.py",
        right="if not account.email_verified:",
        wrong="if False:",
        test="tests/web/test_google_sign_in.py::test_nobody_takes_over_an_account_by_its_e_mail",
    ),
    Mutation(
        name="Google is asked by everybody at once",
        file="yousync/google.py",
        right="if self._wanting(key_id) and abs(",
        wrong="if True or abs(",
        test=f"{_GOOGLE}TestCertificates::test_are_fetched_by_one_of_many_at_once",
    ),
    Mutation(
        name="strict access asks for any bearer",
        file="web/job_access.py",
        right="(self.all_jobs or view.user_id == self.user_id)",
        wrong="True",
        test="tests/web/test_job_access.py::TestReading::test_by_anybody_else_is_as_if_there_was_no_such_job",
    ),
    Mutation(
        name="a ticket opens every job of its owner",
        file="web/job_access.py",
        right="self.only in (None, view.job_id) and ",
        wrong="",
        test="tests/web/test_job_access.py::TestReading::test_by_a_ticket_that_does_not_hold",
    ),
)
_PAGE: Final = "tests/web/test_mypage.py::"
_WISHES: Final = "tests/web/test_video_requests.py::"
_MY_PAGE: Final = (
    Mutation(
        name="two bookmarks at once are an error of ours",
        file="models/bookmark.py",
        right="ON CONFLICT (user_id, token_id) DO NOTHING ",
        wrong="",
        test=f"{_PAGE}TestBookmarks::test_two_at_once_keep_it_once",
    ),
    Mutation(
        name="bookmarks of one moment come in any order",
        file="models/bookmark.py",
        right="ORDER BY b.created_at DESC, b.id DESC",
        wrong="ORDER BY b.created_at DESC, md5(b.id::text || $3)",
        test=f"{_PAGE}TestBookmarks::test_pages_of_equal_times_neither_repeat_nor_skip",
    ),
    Mutation(
        name="on my page deleted attempts count",
        file="models/practice.py",
        right=" AND deleted_at IS NULL",
        wrong="",
        test=f"{_PAGE}TestOverview::test_counts_and_averages_by_hand",
    ),
    Mutation(
        name="on my page running and failed attempts count",
        file="models/practice.py",
        right="_COMPLETED: Final = f\"status = 'completed' AND {_ATTEMPT}\"",
        wrong="_COMPLETED: Final = _ATTEMPT",
        test=f"{_PAGE}TestDubbedTokens::test_sentences_are_counted_once_each",
    ),
    Mutation(
        name="on my page the first attempt counts",
        file="models/practice.py",
        right='"ORDER BY token_id, script_id, created_at DESC, id DESC"',
        wrong='"ORDER BY token_id, script_id, created_at, id"',
        test="tests/web/test_scores.py::TestAverages::test_the_latest_score_of_each_sentence_counts",
    ),
    Mutation(
        name="on my page each sentence has each result",
        file="models/practice.py",
        right="AND script_id = s.id",
        wrong="",
        test=f"{_PAGE}TestAnalysisStatus::test_each_sentence_has_its_own_latest_result",
    ),
    Mutation(
        name="a learner's deletion takes other learners' results along",
        file="models/deletion.py",
        right="AnalysisResult.filter(user_id=user_id, token_id=token_id,",
        wrong="AnalysisResult.filter(token_id=token_id,",
        test="tests/jobs/test_erasure.py::test_all_of_it_goes_whatever_it_is_doing_and_nobody_elses",
    ),
    Mutation(
        name="a learner's deletion leaves the audio to retention",
        file="jobs/erasure.py",
        right="        await asyncio.gather(*map(clean, jobs.values()))\n",
        wrong="",
        test="tests/jobs/test_erasure.py::test_all_of_it_goes_whatever_it_is_doing_and_nobody_elses",
    ),
    Mutation(
        name="two video requests at once are two",
        file="models/video_request.py",
        right="ON CONFLICT (user_id) WHERE status = '심사중' DO NOTHING ",
        wrong="",
        test=f"{_WISHES}test_of_two_at_once_one_is_filed",
    ),
    Mutation(
        name="a rejected video request is anybody's to remove",
        file="models/video_request.py",
        right="VideoRequest.filter(id=request_id, user_id=user_id)",
        wrong="VideoRequest.filter(id=request_id)",
        test=f"{_WISHES}test_one_removes_ones_own_once_it_was_rejected",
    ),
    Mutation(
        name="who has no name is told by e-mail",
        file="models/video_request.py",
        right='public_name(row["full_name"], row["email"]) or NOBODY',
        wrong='row["full_name"] or row["email"]',
        test=f"{_WISHES}test_nobody_is_told_by_e_mail",
    ),
)
MUTATIONS: Final = (
    *_ACCEPTING,
    *_WORKING,
    *_ASKING,
    *_RESULTS,
    *_LOSING_VALKEY,
    *_STREAMS,
    *_OPERATORS,
    *_FAULTS,
    *_PEOPLE,
    *_MY_PAGE,
)
