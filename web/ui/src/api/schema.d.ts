// Generated from the OpenAPI document by `make ui`: do not edit.

export interface paths {
    "/v1/batches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Submit several jobs
         * @description Each job is accepted or refused on its own; the answer is 200 in either case, with one result for each.
         *
         *     Needs the role `submit` where API keys are configured.
         */
        post: operations["submit-batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List jobs
         * @description Newest first, without the tests' reports; `next_cursor` gives the next page.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["list-jobs"];
        put?: never;
        /**
         * Submit a job
         * @description Answers 202 with the queued job; with `wait`, 200 with the ended job, or 202 with the job as it is once the time is over.
         *
         *     Needs the role `submit` where API keys are configured.
         */
        post: operations["submit-job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a job
         * @description With `wait` the answer comes when the job has ended, or as it is once the time is over.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["get-job"];
        put?: never;
        post?: never;
        /**
         * Forget a job that has ended
         * @description Needs the role `submit` where API keys are configured.
         */
        delete: operations["delete-job"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a job
         * @description A queued job is cancelled at once; of a running one the worker is asked to stop.
         *
         *     Needs the role `submit` where API keys are configured.
         */
        post: operations["cancel-job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a job
         * @description A stream of server-sent events that ends after the job's last state. The id of an event is its number in the job; `event` is `state` (StateEvent), `compiled` (CompiledEvent), `test` (TestEvent), `output` (OutputEvent) or `restart` (RestartEvent), and `data` is JSON.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["job-events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Queue a failed job again
         * @description Its attempts are counted anew.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["redrive-job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the API keys of the store
         * @description Those of the configuration are not among them.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        get: operations["list-keys"];
        put?: never;
        /**
         * Make an API key
         * @description The answer is the only one that has the key itself. It holds at once here, and within two seconds on every server of the store. The first key there is must have the role `admin`: from then on every request needs a key.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["create-key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an API key
         * @description It is refused at once here, and within two seconds on every server of the store. The last key with the role `admin`, or the last such key that does not expire, is not revoked (409).
         *
         *     Needs the role `admin` where API keys are configured.
         */
        delete: operations["revoke-key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace an API key
         * @description Makes one of the same name, roles, rate and time to live. The old one still holds for `overlap_seconds`.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["rotate-key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/languages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List languages
         * @description Those whose image is missing are listed too, with the command that gets it.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["list-languages"];
        put?: never;
        /**
         * Add or replace languages
         * @description The body is a language of languages.json, or `{"languages": […]}`. One with the same name and version is replaced. Changes this server's languages.json, and holds here at once; other servers and workers with a file of their own keep theirs, which `note` says where there may be any. Where the file cannot be written (a ConfigMap, which all servers share) the answer is 403, and says what to change instead.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["add-languages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/languages/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a language
         * @description Jobs that were submitted are still run. Changes this server's languages.json, and holds here at once; other servers and workers with a file of their own keep theirs, which `note` says where there may be any. Where the file cannot be written (a ConfigMap, which all servers share) the answer is 403, and says what to change instead.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        delete: operations["remove-language"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List queues
         * @description Needs the role `read` where API keys are configured.
         */
        get: operations["list-queues"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queues/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a queue
         * @description With what happened in it in each of the last 60 minutes.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["get-queue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queues/{name}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take no more submissions into a queue
         * @description They get 503 `queue_drained`, while what the queue holds is finished.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["drain-queue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queues/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take nothing more from a queue
         * @description Submissions and running jobs go on.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["pause-queue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queues/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a queue's pause or drain
         * @description Needs the role `admin` where API keys are configured.
         */
        post: operations["resume-queue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/self": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ask who one is, and what is allowed
         * @description Tells of the API key that the request was sent with, and the bounds of what may be submitted.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["get-self"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/store": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * See how the store fares
         * @description Answers 200 where the store is away too: `status` says so.
         *
         *     Needs the role `read` where API keys are configured.
         */
        get: operations["get-store"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/store/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export all queues, jobs and API keys
         * @description A line of JSON for each; the server goes on meanwhile. Kept in a file they are as at one moment, on a Redis-protocol server each job is. The last line, a trailer, tells that the export is whole: one without it is refused by an import.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        get: operations["export-store"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/store/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import what was exported
         * @description What is there already is skipped, so an import that broke off is completed by the same request again. Jobs that ran when they were exported are queued.
         *
         *     Needs the role `admin` where API keys are configured.
         */
        post: operations["import-store"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List workers
         * @description Needs the role `read` where API keys are configured.
         */
        get: operations["list-workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Attempt: {
            /** @description Counts against max_attempts. */
            counted: boolean;
            /** Format: date-time */
            ended_at?: string;
            /** @description Why it ended without a report. */
            reason?: string;
            /** Format: date-time */
            started_at: string;
            worker: string;
        };
        BatchRequest: {
            /** @description The jobs, each as for POST /v1/jobs. */
            jobs: components["schemas"]["JobRequest"][] | null;
        };
        BatchResponse: {
            /**
             * Format: int64
             * @description How many jobs were made.
             */
            accepted: number;
            /**
             * Format: int64
             * @description How many were not.
             */
            refused: number;
            /** @description One for each job, in the request's order. */
            results: components["schemas"]["BatchResult"][] | null;
        };
        BatchResult: {
            error?: components["schemas"]["Problem"];
            job?: components["schemas"]["Job"];
        };
        Bounds: {
            /**
             * Format: int64
             * @description Bytes of a job's arguments together.
             */
            arg_bytes: number;
            /**
             * Format: int64
             * @description Arguments of a job.
             */
            args: number;
            /**
             * Format: int64
             * @description Jobs of a batch.
             */
            batch_jobs: number;
            /**
             * Format: int64
             * @description Bytes of a request's body.
             */
            body_bytes: number;
            /**
             * Format: int64
             * @description Bytes of a test's expected output.
             */
            expected_output_bytes: number;
            /**
             * Format: int64
             * @description Source files of a job.
             */
            files: number;
            /**
             * Format: int64
             * @description Bytes of a test's input.
             */
            input_bytes: number;
            /**
             * Format: int64
             * @description Labels of a job.
             */
            labels: number;
            /**
             * Format: int64
             * @description The highest priority.
             */
            max_priority: number;
            /**
             * Format: int64
             * @description The least priority.
             */
            min_priority: number;
            /** @description The largest value of each limit of a run. */
            run: components["schemas"]["LimitsRequest"];
            /**
             * Format: int64
             * @description Bytes of a job's source files together.
             */
            source_bytes: number;
            /**
             * Format: int64
             * @description Tests of a job.
             */
            tests: number;
            /**
             * Format: int64
             * @description How long a request may wait for a job's end, in milliseconds.
             */
            wait_ms: number;
        };
        ChangedLanguages: {
            /** @description What was added or removed. */
            languages: components["schemas"]["LanguageVersion"][] | null;
            /** @description Where the change does not hold, and what to do there; only where other servers or workers share the queue. */
            note?: string;
        };
        CheckerRequest: {
            /**
             * Format: double
             * @description Absolute tolerance of float. Without both tolerances each is 1e-6.
             */
            absolute?: number;
            /**
             * @description exact: byte for byte. trim (the default): ignores white space at the end of lines and of the output. tokens: compares words. float: compares words, numbers within a tolerance.
             * @enum {string}
             */
            kind: "exact" | "trim" | "tokens" | "float";
            /**
             * Format: double
             * @description Relative tolerance of float.
             */
            relative?: number;
        };
        CompiledEvent: {
            /**
             * Format: double
             * @description CPU time of all processes, in milliseconds.
             */
            cpu_ms: number;
            /**
             * @description The limit that ended the run.
             * @enum {string}
             */
            exceeded?: "cpu" | "wall" | "memory" | "output";
            /**
             * Format: int64
             * @description Not there where a signal ended the program.
             */
            exit_code?: number;
            /**
             * Format: int64
             * @description Peak memory, in bytes.
             */
            memory_bytes?: number;
            /** @description In words, what the figures do not say. */
            message?: string;
            /**
             * Format: int64
             * @description Peak of processes and threads at once.
             */
            processes?: number;
            /**
             * Format: int64
             * @description The signal that ended the program.
             */
            signal?: number;
            /** @example SIGSEGV */
            signal_name?: string;
            stderr: string;
            /** @enum {string} */
            stderr_encoding?: "base64";
            stderr_truncated?: boolean;
            stdout: string;
            /**
             * @description base64 where stdout is not UTF-8; else not there.
             * @enum {string}
             */
            stdout_encoding?: "base64";
            /** @description More was written than is kept. */
            stdout_truncated?: boolean;
            /**
             * Format: date-time
             * @description When the store was told of it, by the store's clock.
             */
            time: string;
            /**
             * Format: double
             * @description Real time, in milliseconds, without start-up of the sandbox and without the compile.
             */
            wall_ms: number;
        };
        Counters: {
            /** Format: int64 */
            cancelled: number;
            /** Format: int64 */
            claimed: number;
            /** Format: int64 */
            completed: number;
            /** Format: int64 */
            failed: number;
            /** Format: int64 */
            leases_lost: number;
            /** Format: int64 */
            rejected_full: number;
            /** Format: int64 */
            retried: number;
            /** Format: int64 */
            submitted: number;
        };
        Fault: {
            /** @description What is wrong, and what is allowed. */
            detail: string;
            /**
             * @description The parameter, with where it is.
             * @example query.limit
             */
            parameter?: string;
            /**
             * @description JSON Pointer to the field of the body.
             * @example #/tests/0/limits/cpu_ms
             */
            pointer?: string;
        };
        FileRequest: {
            /** @description The file's content. */
            content: string;
            /**
             * @description How content is written here; utf8 without it.
             * @enum {string}
             */
            encoding?: "utf8" | "base64";
            /**
             * @description Path below the working folder. The main file may leave it out and gets the language's usual name.
             * @example main.py
             */
            name?: string;
        };
        ImportSummary: {
            /**
             * Format: int64
             * @description API keys that were added.
             */
            api_keys: number;
            /**
             * Format: int64
             * @description Jobs that were added.
             */
            jobs: number;
            /**
             * Format: int64
             * @description Queues that were made.
             */
            queues: number;
            /**
             * Format: int64
             * @description Queues, jobs and keys that were there already.
             */
            skipped: number;
        };
        Job: {
            /**
             * Format: int64
             * @description Attempts that count.
             */
            attempts: number;
            /** @description A cancellation waits for the worker. */
            cancel_requested?: boolean;
            /** @description The compile; not there for a language that is not compiled. */
            compile?: components["schemas"]["Run"];
            /** Format: date-time */
            created_at: string;
            /** @description Why Optimus could not judge a failed job. */
            error?: string;
            /** Format: date-time */
            finished_at?: string;
            /** @description The attempts, oldest first, where there was more than one. */
            history?: components["schemas"]["Attempt"][] | null;
            /**
             * @description The job's id, a UUID.
             * @example 0190a6d2-7f3c-8000-8000-5b2d1c0e9a47
             */
            id: string;
            labels?: {
                [key: string]: string;
            };
            /** @example python */
            language: string;
            /** @example 3.13.5 */
            language_version?: string;
            /** Format: int64 */
            max_attempts: number;
            /**
             * Format: double
             * @description Weights of all tests.
             */
            max_score?: number;
            /**
             * Format: date-time
             * @description When a retry is due.
             */
            not_before?: string;
            /** Format: int64 */
            priority: number;
            queue: string;
            /**
             * Format: double
             * @description Weights of the accepted tests.
             */
            score?: number;
            /** Format: date-time */
            started_at?: string;
            /**
             * @description completed: judged, whatever the verdict. failed: Optimus could not judge it.
             * @enum {string}
             */
            state: "queued" | "running" | "completed" | "failed" | "cancelled";
            /** @description What was submitted, in a form that can be submitted again as it is; only with include=submission. */
            submission?: components["schemas"]["JobRequest"];
            /** @description Whose job it is: the name of the API key. */
            tenant?: string;
            /**
             * Format: int64
             * @description How many tests the submission has; not in lists.
             */
            test_count?: number;
            /** @description The tests' reports, in the submission's order. */
            tests?: components["schemas"]["Test"][] | null;
            /**
             * @description The worst of the tests' verdicts.
             * @example accepted
             */
            verdict?: string;
            /** @description The worker that had it last: that judges or judged. */
            worker?: string;
        };
        JobList: {
            /** @description Newest first, without the tests' reports. */
            jobs: components["schemas"]["Job"][] | null;
            /** @description Gives the next page; not there on the last. */
            next_cursor?: string;
        };
        JobRequest: {
            /** @description Arguments that the program gets in every test. At most 16384 bytes together. */
            args?: string[] | null;
            /** @description How the output of every test that states no checker is compared. */
            checker?: components["schemas"]["CheckerRequest"];
            /** @description The program's files; the first is the main one. Either this or source_code. At most 1048576 bytes of content together. */
            files?: components["schemas"]["FileRequest"][] | null;
            /** @description Your own notes, given back with the job. Names start with a letter or digit and hold letters, digits and ._-/ (64 at most); values hold up to 256 bytes. */
            labels?: {
                [key: string]: string;
            };
            /**
             * @description Name or alias of a language; GET /v1/languages lists them.
             * @example python
             */
            language: string;
            /** @description Limits of every test that states none of its own; what is not stated comes from the language. */
            limits?: components["schemas"]["LimitsRequest"];
            /**
             * Format: int64
             * @description Jobs of a higher priority are run first.
             */
            priority?: number;
            /** @description The queue to wait in; the language's own without it. */
            queue?: string;
            /**
             * @description The program, where it is one file. Either this or files. At most 1048576 bytes.
             * @example print(input())
             */
            source_code?: string;
            /** @description Standard input of a plain run. Either this or tests; without both the program runs once with empty input. At most 16777216 bytes. */
            stdin?: string;
            /**
             * @description How stdin is written here; utf8 without it.
             * @enum {string}
             */
            stdin_encoding?: "utf8" | "base64";
            /** @description Skip the tests that have not started once one is not accepted. */
            stop_on_failure?: boolean;
            /** @description What the program is judged by. Either this or stdin. */
            tests?: components["schemas"]["TestRequest"][] | null;
            /**
             * @description Version of the language, where the catalogue has several.
             * @example 3.13
             */
            version?: string;
        };
        KeyInfo: {
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description Not there where it never does.
             */
            expires_at?: string;
            /**
             * @description What it is revoked and rotated by.
             * @example k-5b2d1c0e9a47
             */
            id: string;
            /** @description The tenant that its jobs belong to. */
            name: string;
            /**
             * Format: double
             * @description Requests per second; 0 is the server's rate.
             */
            rate: number;
            roles: string[] | null;
            /** @enum {string} */
            state: "valid" | "expired";
        };
        KeyList: {
            /** @description The oldest first; those of the configuration are not among them. */
            keys: components["schemas"]["KeyInfo"][] | null;
        };
        KeyRequest: {
            /**
             * Format: date-time
             * @description When it holds no more; never without it.
             * @example 2027-01-31T00:00:00Z
             */
            expires_at?: string;
            /**
             * @description The tenant that its jobs belong to: a lower-case name of letters, digits and . _ + -. Several keys may share it.
             * @example course-2
             */
            name: string;
            /**
             * Format: double
             * @description Requests per second, a minute's worth of which may come at once; the server's rate without it.
             */
            rate?: number;
            /** @description What it may do; submit and read without it. */
            roles?: ("submit" | "read" | "admin")[] | null;
        };
        LanguageInfo: {
            aliases: string[] | null;
            /** @description Jobs of it are taken: it is not missing. */
            available: boolean;
            compile_limits: components["schemas"]["LimitsRequest"];
            /** @description Has a compile step. */
            compiled: boolean;
            display_name: string;
            /** @description The command that makes it available. */
            how_to_get?: string;
            /**
             * @description The image that its programs run in, as the catalogue names it.
             * @example optimus.local/python:trixie
             */
            image: string;
            /**
             * Format: int64
             * @description The size of that image as it is stored, in bytes; not there where it is not known.
             */
            image_bytes?: number;
            /**
             * @description The digest of the image that is here; not there where none is.
             * @example sha256:9a2f
             */
            image_digest?: string;
            /** @description Limits of a test where the submission states none. */
            limits: components["schemas"]["LimitsRequest"];
            /**
             * Format: double
             * @description Multiplies the memory that a submission states.
             */
            memory_factor: number;
            /** @example python */
            name: string;
            queue: string;
            samples: components["schemas"]["LanguageSamples"];
            /** @description The name of a main file that gives none. */
            source_file: string;
            /**
             * @description available: this server runs it. elsewhere: another worker does. no_worker: jobs are taken, and wait for a worker that runs it; none is registered now. missing: its image or containerd runtime is not here, and no other worker runs it.
             * @enum {string}
             */
            state: "available" | "elsewhere" | "no_worker" | "missing";
            /** @enum {string} */
            tier: "shared" | "dedicated";
            /**
             * Format: double
             * @description Multiplies the times that a submission states.
             */
            time_factor: number;
            version: string;
        };
        LanguageList: {
            languages: components["schemas"]["LanguageInfo"][] | null;
        };
        LanguageSamples: {
            /** @description One that does not compile or, in an interpreted language, ends with an error. */
            error?: string;
            /** @description A program that prints Hello, world! */
            hello?: string;
            /** @description One that never ends and uses its processor. */
            limit?: string;
        };
        LanguageVersion: {
            name: string;
            version: string;
        };
        LimitsRequest: {
            /**
             * Format: int64
             * @description CPU time of all processes together, in milliseconds.
             * @example 1000
             */
            cpu_ms?: number;
            /**
             * Format: int64
             * @description Bytes of all files together; as much as memory without it.
             */
            disk_bytes?: number;
            /**
             * Format: int64
             * @description Bytes of the largest file that may be written.
             */
            file_size_bytes?: number;
            /**
             * Format: int64
             * @description Memory, in bytes.
             * @example 268435456
             */
            memory_bytes?: number;
            /**
             * Format: int64
             * @description Open files of one process.
             */
            open_files?: number;
            /**
             * Format: int64
             * @description Bytes of standard output and of standard error, each.
             */
            output_bytes?: number;
            /**
             * Format: int64
             * @description Processes and threads at once.
             */
            processes?: number;
            /**
             * Format: int64
             * @description Bytes of stack; as much as memory without it.
             */
            stack_bytes?: number;
            /**
             * Format: int64
             * @description Real time, in milliseconds.
             * @example 5000
             */
            wall_ms?: number;
        };
        MinuteCounters: {
            /** Format: int64 */
            cancelled: number;
            /** Format: int64 */
            claimed: number;
            /** Format: int64 */
            completed: number;
            /** Format: int64 */
            failed: number;
            /** Format: int64 */
            leases_lost: number;
            /** Format: date-time */
            minute: string;
            /** Format: int64 */
            rejected_full: number;
            /** Format: int64 */
            retried: number;
            /** Format: int64 */
            submitted: number;
        };
        NewKey: {
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description Not there where it never does.
             */
            expires_at?: string;
            /**
             * @description What it is revoked and rotated by.
             * @example k-5b2d1c0e9a47
             */
            id: string;
            /** @description The tenant that its jobs belong to. */
            name: string;
            /**
             * Format: double
             * @description Requests per second; 0 is the server's rate.
             */
            rate: number;
            roles: string[] | null;
            /** @description The key, which is shown this once: only its hash is kept. */
            secret: string;
            /** @enum {string} */
            state: "valid" | "expired";
        };
        OutputEvent: {
            data: string;
            /**
             * @description base64 where data is not UTF-8; else not there.
             * @enum {string}
             */
            encoding?: "base64";
            /** @enum {string} */
            stream: "stdout" | "stderr";
            test: string;
            /**
             * Format: date-time
             * @description When the store was told of it, by the store's clock.
             */
            time: string;
        };
        Problem: {
            /**
             * @description The kind of problem as a word, for machines.
             * @example invalid_request
             */
            code: string;
            /** @description What happened this time, and what to do about it. */
            detail?: string;
            /** @description Every fault of the request. */
            errors?: components["schemas"]["Fault"][] | null;
            /** @description The request's id, as in the server's log. */
            request_id?: string;
            /**
             * Format: int64
             * @description The HTTP status.
             * @example 422
             */
            status: number;
            /**
             * @description The kind of problem in words; the same for each problem of the kind.
             * @example The request is not valid
             */
            title: string;
            /**
             * @description URI that names the kind of problem.
             * @example urn:optimus:problem:invalid_request
             */
            type: string;
        };
        Queue: {
            /**
             * Format: int64
             * @description Bytes of the unfinished jobs' submissions, as they are stored.
             */
            bytes: number;
            /** Format: int64 */
            cancelled: number;
            /**
             * Format: int64
             * @description Ended jobs that are still kept, by state.
             */
            completed: number;
            /**
             * Format: int64
             * @description Jobs that wait for a retry.
             */
            delayed: number;
            /** Format: int64 */
            failed: number;
            name: string;
            /** Format: date-time */
            oldest_ready_at?: string;
            /** @description Its state is paused. */
            paused: boolean;
            /** @description What happened in each of the last 60 minutes, oldest first: always 60, of which the last is not over yet. In a list only with include=minutes. */
            per_minute?: components["schemas"]["MinuteCounters"][] | null;
            /**
             * Format: int64
             * @description Jobs that can be run.
             */
            ready: number;
            /** Format: int64 */
            running: number;
            /**
             * @description Nothing is taken from one that is paused; one that is draining takes no submission.
             * @enum {string}
             */
            state: "running" | "paused" | "draining";
            /** @description Since the store was made. */
            totals: components["schemas"]["Counters"];
            /**
             * Format: int64
             * @description The sum of these.
             */
            unfinished: number;
            /** @description Why its jobs wait in vain: for a minute no worker has taken from it. */
            unserved?: string;
        };
        QueueList: {
            queues: components["schemas"]["Queue"][] | null;
        };
        RestartEvent: {
            /** @description The test whose run begins anew: forget the output that was shown of it. */
            test: string;
            /**
             * Format: date-time
             * @description When the store was told of it, by the store's clock.
             */
            time: string;
        };
        RotateRequest: {
            /**
             * Format: int64
             * @description How long the old key still holds; not at all without it.
             */
            overlap_seconds?: number;
        };
        Run: {
            /**
             * Format: double
             * @description CPU time of all processes, in milliseconds.
             */
            cpu_ms: number;
            /**
             * @description The limit that ended the run.
             * @enum {string}
             */
            exceeded?: "cpu" | "wall" | "memory" | "output";
            /**
             * Format: int64
             * @description Not there where a signal ended the program.
             */
            exit_code?: number;
            /**
             * Format: int64
             * @description Peak memory, in bytes.
             */
            memory_bytes?: number;
            /** @description In words, what the figures do not say. */
            message?: string;
            /**
             * Format: int64
             * @description Peak of processes and threads at once.
             */
            processes?: number;
            /**
             * Format: int64
             * @description The signal that ended the program.
             */
            signal?: number;
            /** @example SIGSEGV */
            signal_name?: string;
            stderr: string;
            /** @enum {string} */
            stderr_encoding?: "base64";
            stderr_truncated?: boolean;
            stdout: string;
            /**
             * @description base64 where stdout is not UTF-8; else not there.
             * @enum {string}
             */
            stdout_encoding?: "base64";
            /** @description More was written than is kept. */
            stdout_truncated?: boolean;
            /**
             * Format: double
             * @description Real time, in milliseconds, without start-up of the sandbox and without the compile.
             */
            wall_ms: number;
        };
        Self: {
            /**
             * Format: date-time
             * @description When the key holds no more; not there where it always does.
             */
            expires_at?: string;
            /** @description A request needs an API key; without, every request may do everything. */
            keys_needed: boolean;
            /** @description What a request may ask for. */
            limits: components["schemas"]["Bounds"];
            /** @description The roles whose operations are allowed: those that are held, and those that they imply. admin implies all, submit implies read. */
            may: ("submit" | "read" | "admin")[] | null;
            /** @description The queues that a submission may name. */
            queues: string[] | null;
            /**
             * Format: int64
             * @description How many requests may be made in a minute, and at once after a pause; not there without a bound.
             */
            requests_per_minute?: number;
            /** @description The roles that the key holds. */
            roles: ("submit" | "read" | "admin")[] | null;
            /** @description Whose jobs are submitted and seen: the name of the API key; empty without keys. */
            tenant: string;
        };
        StateEvent: {
            /** Format: int64 */
            attempt?: number;
            reason?: string;
            /** @enum {string} */
            state: "queued" | "running" | "completed" | "failed" | "cancelled";
            /**
             * Format: date-time
             * @description When the store was told of it, by the store's clock.
             */
            time: string;
            verdict?: string;
        };
        StoreHealth: {
            /**
             * Format: int64
             * @description The size of the file, or the memory that the servers use together.
             */
            bytes?: number;
            /**
             * @description What a submission outlives once it is acknowledged: local the store's process, fsync a power cut too, replicated the loss of its machine too.
             * @enum {string}
             */
            durability: "local" | "fsync" | "replicated";
            /**
             * Format: int64
             * @description What there is room for beyond that: on the file's disk and in the file, or in the server that has the least. Not there where there is no limit, or none that is known.
             */
            free_bytes?: number;
            /**
             * @description A file of this server's, or a server that speaks the Redis protocol: one, one that Sentinels watch, or a Cluster.
             * @enum {string}
             */
            kind: "file" | "redis" | "redis_sentinel" | "redis_cluster";
            /**
             * Format: double
             * @description How long it took to keep as much as a large submission, or to fail at it, in milliseconds.
             */
            latency_ms: number;
            /** @description Why the status is not ok. */
            reason?: string;
            /** @description The form in which jobs are kept. */
            schema?: components["schemas"]["StoreSchema"];
            /**
             * @description ok: it takes jobs. full: its disk or memory is full, so it takes none. unavailable: it does not answer in time.
             * @enum {string}
             */
            status: "ok" | "full" | "unavailable";
            /**
             * @description Name and version of the server that speaks the Redis protocol.
             * @example Redis 7.2.4
             */
            version?: string;
            /** @description In what it does not keep what it is told as well as it should, each with the remedy. */
            warnings: string[] | null;
        };
        StoreSchema: {
            /**
             * Format: int64
             * @description The newest form that this server knows: where it is above written, optimus admin store upgrade brings the store there.
             */
            known: number;
            /**
             * Format: int64
             * @description The least form that a binary must know to read it.
             */
            min_reader: number;
            /**
             * Format: int64
             * @description The form that is kept.
             */
            written: number;
        };
        Test: {
            id: string;
            /** @description In words, why the verdict is what it is. */
            reason?: string;
            /** @description What the run did; not there for a test that was not run. */
            run?: components["schemas"]["Run"];
            /** Format: double */
            score: number;
            /** @description accepted, presentation_error, wrong_answer, output_limit_exceeded, time_limit_exceeded, memory_limit_exceeded, runtime_error, compile_error, internal_error, skipped or cancelled. */
            verdict: string;
            /** Format: double */
            weight: number;
        };
        TestEvent: {
            id: string;
            /** @description In words, why the verdict is what it is. */
            reason?: string;
            /** @description What the run did; not there for a test that was not run. */
            run?: components["schemas"]["Run"];
            /** Format: double */
            score: number;
            /**
             * Format: date-time
             * @description When the store was told of it, by the store's clock.
             */
            time: string;
            /** @description accepted, presentation_error, wrong_answer, output_limit_exceeded, time_limit_exceeded, memory_limit_exceeded, runtime_error, compile_error, internal_error, skipped or cancelled. */
            verdict: string;
            /** Format: double */
            weight: number;
        };
        TestRequest: {
            /** @description The checker of this test, over that of the job. */
            checker?: components["schemas"]["CheckerRequest"];
            /**
             * @description How input and expected_output are written here; utf8 without it.
             * @enum {string}
             */
            encoding?: "utf8" | "base64";
            /**
             * @description What the checker compares the output with. Without it every output is accepted of a program that ends with status 0 within its limits. At most 16777216 bytes.
             * @example 7
             */
            expected_output?: string;
            /** @description Names the test in the report; its number, from 1, without it. */
            id?: string;
            /**
             * @description Standard input. At most 16777216 bytes.
             * @example 3 4
             */
            input?: string;
            /** @description Limits of this test, over those of the job. */
            limits?: components["schemas"]["LimitsRequest"];
            /**
             * Format: double
             * @description What the test adds to the score; 1 without it.
             */
            weight?: number;
        };
        Worker: {
            /** Format: int64 */
            busy: number;
            /** @description What it takes jobs of, each as language/tier. */
            lanes: string[] | null;
            name: string;
            /** @description The queues that it takes from; empty for all. */
            queues: string[] | null;
            /** Format: date-time */
            seen_at: string;
            /**
             * Format: int64
             * @description Jobs that it runs at once.
             */
            slots: number;
            /** Format: date-time */
            started_at: string;
            version: string;
        };
        WorkerList: {
            workers: components["schemas"]["Worker"][] | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    "submit-batch": {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 240 visible ASCII characters. It holds for each job by its place in the batch. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "jobs": [
                 *         {
                 *           "language": "python",
                 *           "source_code": "print(sum(map(int, input().split())))",
                 *           "tests": [
                 *             {
                 *               "input": "3 4\n",
                 *               "expected_output": "7\n"
                 *             }
                 *           ]
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["BatchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchResponse"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-jobs": {
        parameters: {
            query?: {
                /** @description States to list, separated by commas; all without it. */
                state?: ("queued" | "running" | "completed" | "failed" | "cancelled")[] | null;
                /** @description List this queue alone. */
                queue?: string;
                /** @description List this tenant's jobs alone; others than one's own need the role admin. */
                tenant?: string;
                /** @description Jobs made at this time or later. */
                since?: string;
                /** @description Jobs made before this time. */
                until?: string;
                /** @description Jobs on a page. */
                limit?: number;
                /** @description next_cursor of the page before. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobList"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "submit-job": {
        parameters: {
            query?: {
                /** @description How long to wait for the job's end, such as 10s or 10. Without it the answer comes at once. */
                wait?: string;
                /** @description submission: give the submission back too. */
                include?: "submission";
            };
            header?: {
                /** @description 1 to 255 visible ASCII characters. The same key with the same body gives the same job again; with another body it is a conflict. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "language": "python",
                 *       "source_code": "print(sum(map(int, input().split())))",
                 *       "tests": [
                 *         {
                 *           "input": "3 4\n",
                 *           "expected_output": "7\n"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["JobRequest"];
            };
        };
        responses: {
            /** @description The job; with wait, it has ended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Accepted */
            202: {
                headers: {
                    "Idempotency-Replayed"?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-job": {
        parameters: {
            query?: {
                /** @description How long to wait for the job's end, such as 10s or 10. */
                wait?: string;
                /** @description submission: give the submission back too. */
                include?: "submission";
            };
            header?: never;
            path: {
                /** @description The job's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Idempotency-Replayed"?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "delete-job": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "cancel-job": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Idempotency-Replayed"?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "job-events": {
        parameters: {
            query?: {
                /** @description As Last-Event-ID, for a client that cannot set the header. */
                after?: number;
            };
            header?: {
                /** @description The id of the last event that was seen; the stream goes on after it. */
                "Last-Event-ID"?: string;
            };
            path: {
                /** @description The job's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["StateEvent"] | components["schemas"]["CompiledEvent"] | components["schemas"]["TestEvent"] | components["schemas"]["OutputEvent"] | components["schemas"]["RestartEvent"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "redrive-job": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Idempotency-Replayed"?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyList"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "name": "course-2",
                 *       "roles": [
                 *         "submit",
                 *         "read"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["KeyRequest"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "revoke-key": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's id, of GET /v1/keys. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "rotate-key": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's id, of GET /v1/keys. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "overlap_seconds": 3600
                 *     }
                 */
                "application/json": components["schemas"]["RotateRequest"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-languages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LanguageList"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "add-languages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "image": "docker.io/library/lua:5.4",
                 *       "name": "lua",
                 *       "run": [
                 *         "lua",
                 *         "{source}",
                 *         "{args}"
                 *       ],
                 *       "source_file": "main.lua",
                 *       "version": "5.4"
                 *     }
                 */
                "application/json": {
                    [key: string]: unknown;
                };
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChangedLanguages"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "remove-language": {
        parameters: {
            query?: {
                /** @description This version alone; all without it. */
                version?: string;
            };
            header?: never;
            path: {
                /** @description The language's name; an alias is none. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChangedLanguages"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-queues": {
        parameters: {
            query?: {
                /** @description minutes: give what happened in each of the last 60 minutes too. */
                include?: "minutes";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueueList"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-queue": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The queue's name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "drain-queue": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The queue's name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "pause-queue": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The queue's name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "resume-queue": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The queue's name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-self": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Self"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-store": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoreHealth"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "export-store": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The lines. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/jsonl": string;
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "import-store": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/jsonl": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportSummary"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerList"];
                };
            };
            /** @description A problem (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
