import { useSignal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { ended } from "../api/events";
import { go, href } from "../router";
import { longestLink, shareLink } from "../run/share";
import { Action } from "../shared/action";
import { CopyButton, ErrorNote } from "../shared/basics";
import { Confirm } from "../shared/confirm";
import { barred } from "../shared/self";
import { asWritten } from "../shared/submission";
import { shortId } from "./times";

type Job = Schemas["Job"];

interface Props {
  job: Job;
  sent: Schemas["JobRequest"] | undefined;
  /** The server has given the job anew. */
  took(job: Job): void;
  /** It was queued again, and is to be followed again. */
  again(): void;
}

/** What can be done with a job. What its state or the key does not allow stays, and says why. */
export function Actions({ job, sent, took, again }: Props) {
  const busy = useSignal("");
  const error = useSignal<unknown>(undefined);
  const asks = useSignal(false);
  const over = ended(job.state);
  const act = async (name: string, work: () => Promise<void>) => {
    busy.value = name;
    error.value = undefined;
    try {
      await work();
    } catch (e) {
      error.value = e;
    }
    busy.value = "";
  };
  const path = { params: { path: { id: job.id } } };
  const noSource = sent === undefined ? "Its submission is not here yet." : undefined;
  return (
    <>
      <div class="row actions">
        {over ? null : (
          <Action
            kind="danger"
            needs="submit"
            busy={busy.value === "cancel"}
            why={job.cancel_requested ? "Its cancellation waits for the worker." : undefined}
            onClick={() =>
              void act("cancel", async () => took(await unwrap(api.POST("/v1/jobs/{id}/cancel", path))))
            }
          >
            {job.cancel_requested ? "Cancelling…" : "Cancel"}
          </Action>
        )}
        {job.state === "failed" ? (
          <Action
            kind="primary"
            needs="admin"
            busy={busy.value === "retry"}
            onClick={() =>
              void act("retry", async () => {
                took(await unwrap(api.POST("/v1/jobs/{id}/redrive", path)));
                again();
              })
            }
          >
            Retry
          </Action>
        ) : null}
        <Action
          needs="submit"
          why={noSource}
          busy={busy.value === "again"}
          onClick={() => void act("again", async () => go(await submitAgain(sent)))}
        >
          Run again
        </Action>
        <Action
          why={noSource}
          onClick={() => void act("open", async () => go(await runAddress(job.id, sent)))}
        >
          Open in Run
        </Action>
        <CopyButton label="Copy as JSON" text={() => JSON.stringify(job, null, 2)} />
        <Action
          kind="quiet"
          needs="submit"
          why={over ? undefined : "It has not ended: cancel it first."}
          onClick={() => {
            asks.value = true;
          }}
        >
          Delete
        </Action>
      </div>
      {barred("submit") ? <p class="muted small reason-line">{barred("submit")}</p> : null}
      <ErrorNote error={error.value} />
      {asks.value ? <DeleteDialog job={job} close={() => (asks.value = false)} /> : null}
    </>
  );
}

/** Submits what was submitted once more, and gives the new job's address. */
async function submitAgain(sent: Schemas["JobRequest"] | undefined): Promise<string> {
  if (!sent) return href("jobs");
  const job = await unwrap(api.POST("/v1/jobs", { body: sent }));
  return href("jobs", [job.id]);
}

/** Gives the address at which the Run view shows a submission: a link that holds it, where it is not too long. */
async function runAddress(id: string, sent: Schemas["JobRequest"] | undefined): Promise<string> {
  if (!sent || JSON.stringify(sent).length > 20 * longestLink) return href("run", [id]);
  try {
    return new URL(await shareLink(asWritten(sent))).hash;
  } catch {
    return href("run", [id]);
  }
}

function DeleteDialog({ job, close }: { job: Job; close(): void }) {
  const work = async () => {
    await unwrap(api.DELETE("/v1/jobs/{id}", { params: { path: { id: job.id } } }));
    go(href("jobs"));
  };
  return (
    <Confirm title="Delete the job?" action="Delete" danger work={work} onClose={close}>
      <p>
        Job <code>{shortId(job.id)}</code> is forgotten, with its submission, its report and its events. This
        cannot be undone.
      </p>
    </Confirm>
  );
}
