package modes

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"optimus/sandbox/containerd"
)

// progressEvery is the pace of progress where it is not a terminal that is written to.
const progressEvery = 5 * time.Second

// progressLine shows progress: on a terminal one line that overwrites itself, else a line for
// each step and now and then one between.
type progressLine struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	mu    sync.Mutex
	shown bool // a line stands on the terminal
	step  string
	at    time.Time // of the last line
}

func newProgressLine(w io.Writer) *progressLine {
	return &progressLine{w: w, terminal: isTerminal(w), now: time.Now}
}

// of gives a function that shows progress of what has that name.
func (l *progressLine) of(name string) containerd.ProgressFunc {
	began := l.now()
	return func(p containerd.Progress) { l.show(name, p, l.now().Sub(began)) }
}

func (l *progressLine) show(name string, p containerd.Progress, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := progressText(name, p, took)
	if l.terminal {
		fmt.Fprintf(l.w, "\r\x1b[K%s", text)
		l.shown = true
		return
	}
	step := name + "\x00" + p.Stage + "\x00" + p.Detail
	if now := l.now(); step != l.step || now.Sub(l.at) >= progressEvery {
		l.step, l.at = step, now
		fmt.Fprintln(l.w, text)
	}
}

// clear takes the line off the terminal, so that other text can follow.
func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		io.WriteString(l.w, "\r\x1b[K") //nolint:errcheck // a terminal that is gone needs no clearing
		l.shown = false
	}
}

// progressText is such as "python: build: extracting archives, 14s".
func progressText(name string, p containerd.Progress, took time.Duration) string {
	const widest = 60
	parts := []string{}
	if p.Detail != "" {
		parts = append(parts, oneLine(p.Detail, widest))
	}
	switch {
	case p.Total > 0 && p.Done > 0:
		parts = append(parts, fmt.Sprintf("%s of %s", megabytes(p.Done), megabytes(p.Total)))
	case p.Done > 0:
		parts = append(parts, megabytes(p.Done))
	}
	parts = append(parts, took.Truncate(time.Second).String())
	return name + ": " + p.Stage + ": " + strings.Join(parts, ", ")
}
