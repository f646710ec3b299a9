import { visible } from "./visible";

/** A program's text, with what shows nothing or deceives named in it. */
export function Visible({ text }: { text: string }) {
  return (
    <>
      {visible(text).map((p, i) =>
        p.hidden ? (
          <span key={i} class="sign" title={p.hidden}>
            {p.text}
          </span>
        ) : (
          p.text
        ),
      )}
    </>
  );
}
