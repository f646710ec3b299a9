package modes

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// table is what a list command prints: rows under a header, or, with --json, the values themselves.
type table struct {
	header []string
	rows   [][]string
	// right holds the columns whose cells are aligned to the right, such as figures.
	right map[int]bool
}

func newTable(header ...string) *table { return &table{header: header, right: map[int]bool{}} }

// alignRight aligns the named columns to the right.
func (t *table) alignRight(names ...string) *table {
	for i, h := range t.header {
		for _, name := range names {
			if h == name {
				t.right[i] = true
			}
		}
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// writeTo prints the table, its columns as wide as they need to be.
func (t *table) writeTo(w io.Writer) error {
	widths := make([]int, len(t.header))
	all := append([][]string{t.header}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// writeJSON prints v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// milliseconds shows a short duration, such as "12.3 ms".
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 100 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// megabytes shows a size, such as "9.8 MB"; -1, which stands for "not known", as "-".
func megabytes(bytes int64) string {
	if bytes < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// ago shows how long ago a time was, such as "5m ago"; nothing for a zero time.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd ago", int(d.Hours()/24))
	}
}

// oneLine gives the first line of a text, cut to at most n characters.
func oneLine(text string, n int) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	runes := []rune(strings.Map(printable, line))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	if rest != "" && len(runes) < n {
		return string(runes) + "…"
	}
	return string(runes)
}

// printable keeps a program's output from steering the terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return ' '
	}
	return r
}
