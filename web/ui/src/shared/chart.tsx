import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "./chart.css";
import { amount } from "./format";

/** A series of a chart: a figure for each place on its time axis. */
export interface Series {
  name: string;
  values: readonly number[];
  /** A class of chart.css, which gives it its colour. */
  colour: "accent" | "bad" | "quiet" | "line";
  /** Drawn as a line over the columns, which are stacked. */
  line?: boolean;
}

interface Props {
  /** What the chart shows, for screen readers too. */
  label: string;
  /** The places on the time axis, oldest first; the last is not over yet. */
  times: readonly string[];
  series: readonly Series[];
}

const height = 150;
const margin = { top: 8, right: 8, bottom: 20, left: 40 };

/**
 * Columns over time, stacked, and lines over them. The figures of a place are shown when it is pointed at,
 * or reached by the arrow keys; without any, the sums.
 */
export function Chart({ label, times, series }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const chosen = useSignal<number | undefined>(undefined);
  const last = times.length - 1;
  const at = chosen.value === undefined ? undefined : Math.min(chosen.value, last);
  const choose = (place: number | undefined) => {
    chosen.value = place === undefined ? undefined : Math.max(0, Math.min(last, place));
  };
  const step = (width - margin.left - margin.right) / times.length;
  const point = (e: PointerEvent & { currentTarget: Element }) => {
    const x = e.clientX - e.currentTarget.getBoundingClientRect().left - margin.left;
    choose(Math.floor(x / step));
  };
  const said = at === undefined ? "No minute is chosen" : `${clock(times[at])}: ${figures(series, at)}`;
  return (
    <div class="chart">
      <Legend times={times} series={series} at={at} />
      <div
        ref={box}
        class="chart-box"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at ?? last}
        aria-valuetext={said}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => choose(undefined)}
        onBlur={() => choose(undefined)}
        onKeyDown={(e) => {
          const to = target(e.key, at, last);
          if (to === undefined) return;
          e.preventDefault();
          choose(to === "none" ? undefined : to);
        }}
      >
        <Drawing times={times} series={series} at={at} width={width} step={step} />
      </div>
    </div>
  );
}

/** Where a key leads from a place; undefined for one that leads nowhere. */
function target(key: string, at: number | undefined, last: number): number | "none" | undefined {
  const from = at ?? last + 1;
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return from - 1;
    case "ArrowRight":
    case "ArrowUp":
      return from + 1;
    case "PageUp":
      return from + 10;
    case "PageDown":
      return from - 10;
    case "Home":
      return 0;
    case "End":
      return last;
    case "Escape":
      return "none";
    default:
      return undefined;
  }
}

function figures(series: readonly Series[], at: number): string {
  return series.map((s) => `${s.name} ${amount(s.values[at] ?? 0)}`).join(", ");
}

/** What the colours mean, with the figures of the chosen place or the sums. */
function Legend({ times, series, at }: Omit<Props, "label"> & { at: number | undefined }) {
  const shown = (s: Series) => (at === undefined ? s.values.reduce((a, b) => a + b, 0) : (s.values[at] ?? 0));
  return (
    <p class="chart-legend">
      <span class="chart-legend-time">{at === undefined ? `${times.length} minutes` : clock(times[at])}</span>
      {series.map((s) => (
        <span key={s.name}>
          <span class={`swatch ${s.colour}`} data-line={s.line === true} aria-hidden="true" />
          {s.name} <strong>{amount(shown(s))}</strong>
        </span>
      ))}
    </p>
  );
}

function Drawing(props: Omit<Props, "label"> & { at: number | undefined; width: number; step: number }) {
  const { times, series, at, width, step } = props;
  const columns = series.filter((s) => !s.line);
  const tops = times.map((_, i) => columns.reduce((sum, s) => sum + (s.values[i] ?? 0), 0));
  const highest = Math.max(1, ...tops, ...series.filter((s) => s.line).flatMap((s) => s.values));
  const ticks = ticksTo(highest);
  const top = ticks.at(-1) ?? 1;
  const y = (v: number) => margin.top + (1 - v / top) * (height - margin.top - margin.bottom);
  const x = (i: number) => margin.left + i * step;
  return (
    <svg width={width} height={height} aria-hidden="true">
      {ticks.map((t) => (
        <g key={t}>
          <line class="grid" x1={margin.left} x2={width - margin.right} y1={y(t)} y2={y(t)} />
          <text x={margin.left - 6} y={y(t) + 4} text-anchor="end">
            {amount(t)}
          </text>
        </g>
      ))}
      {at === undefined ? null : (
        <rect class="chosen" x={x(at)} y={margin.top} width={step} height={y(0) - margin.top} />
      )}
      {times.map((time, i) => {
        let below = 0;
        return columns.map((s) => {
          const value = s.values[i] ?? 0;
          if (value === 0) return null;
          const from = below;
          below += value;
          return (
            <rect
              key={`${time} ${s.name}`}
              class={`column ${s.colour}`}
              data-open={i === times.length - 1}
              x={x(i) + step * 0.1}
              y={y(below)}
              width={Math.max(1, step * 0.8)}
              height={Math.max(1, y(from) - y(below))}
            />
          );
        });
      })}
      {series
        .filter((s) => s.line)
        .map((s) => (
          <polyline
            key={s.name}
            class={`curve ${s.colour}`}
            points={s.values.map((v, i) => `${x(i) + step / 2},${y(v)}`).join(" ")}
          />
        ))}
      {quarters(times, step).map((i) => (
        <text
          key={i}
          x={x(i) + step / 2}
          y={height - 4}
          text-anchor={i === times.length - 1 ? "end" : "middle"}
        >
          {clock(times[i])}
        </text>
      ))}
    </svg>
  );
}

/** The places whose time is written below: each quarter of an hour where there is room, and the last. */
function quarters(times: readonly string[], step: number): number[] {
  const last = times.length - 1;
  const room = 80; // of a time, in pixels
  const fits = (i: number) => i * step > room / 4 && (last - i) * step > room;
  return [...times.flatMap((t, i) => (new Date(t).getMinutes() % 15 === 0 && fits(i) ? [i] : [])), last];
}

/** Gives round figures from 0 to at least the highest: not more than five. */
function ticksTo(highest: number): number[] {
  const rough = highest / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough) ?? rough);
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, i) => i * step);
}

/** Gives the hour and minute of a point in time, as it is here. */
export function clock(at: string | undefined): string {
  if (!at) return "";
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

/** How wide an element is, in pixels. */
function useWidth(of: RefObject<HTMLElement | null>): number {
  const width = useSignal(640);
  useEffect(() => {
    const element = of.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) width.value = Math.max(200, entry.contentRect.width);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [of, width]);
  return width.value;
}
