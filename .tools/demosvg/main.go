// Command demosvg draws what `optimus admin demo` prints, given on standard input, as a terminal:
// the picture of the README.
package main

import (
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
)

const (
	columnWidth = 7.3 // of a character, in pixels; textLength holds every line to it
	lineHeight  = 17
	margin      = 18
	top         = 62
)

var (
	note    = regexp.MustCompile(`^LANGUAGE.*?(\s+)NOTE`)
	verdict = regexp.MustCompile(`\b(accepted|[a-z]+(?:_[a-z]+)*_(?:error|answer|exceeded))\b( +)(yes|NO)\b`)
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demosvg:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	lines := table(string(text))
	if len(lines) == 0 {
		return fmt.Errorf("there is no table on standard input: pipe the output of `optimus admin demo` into this")
	}
	_, err = io.WriteString(out, draw(lines))
	return err
}

// table gives the table of verdicts and the sentence below it, without the column of notes.
func table(text string) []string {
	_, rest, found := strings.Cut("\n"+text, "\nLANGUAGE")
	if !found {
		return nil
	}
	lines := strings.Split("LANGUAGE"+rest, "\n")
	width := len(lines[0])
	if m := note.FindStringSubmatchIndex(lines[0]); m != nil {
		width = m[2]
	}
	var kept []string
	for i, line := range lines {
		if line == "" {
			// The sentence of the result stands below an empty line, and ends the picture.
			return append(append(kept, ""), lines[min(i+1, len(lines)-1)])
		}
		runes := []rune(line)
		kept = append(kept, strings.TrimRight(string(runes[:min(width, len(runes))]), " "))
	}
	return kept
}

func draw(lines []string) string {
	columns := 0
	for _, line := range lines {
		columns = max(columns, len([]rune(line)))
	}
	width := 2*margin + int(float64(columns)*columnWidth)
	height := top + lineHeight*len(lines) + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="What make demo prints: a table of verdicts">
<style>
text { font: 12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9; white-space: pre; }
.head { fill: #8b949e; font-weight: 600; } .good { fill: #56d364; } .bad { fill: #e3b341; } .odd { fill: #ff7b72; } .prompt { fill: #79c0ff; }
</style>
<rect width="100%%" height="100%%" rx="10" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
<text x="%d" y="44"><tspan class="prompt">$</tspan> make demo</text>
`, width, height, width, height, margin)
	for i, line := range lines {
		if line == "" {
			continue
		}
		length := float64(len([]rune(line))) * columnWidth
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" textLength=\"%.1f\" xml:space=\"preserve\">%s</text>\n",
			margin, top+lineHeight*i+4, length, colour(line, i == 0))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// colour marks a line's verdict, and whether it was the expected one.
func colour(line string, head bool) string {
	span := func(class, text string) string {
		return `<tspan class="` + class + `">` + html.EscapeString(text) + `</tspan>`
	}
	if head {
		return span("head", line)
	}
	m := verdict.FindAllStringSubmatchIndex(line, -1)
	if m == nil {
		return span("good", line)
	}
	last := m[len(m)-1]
	class := "bad"
	if line[last[2]:last[3]] == "accepted" {
		class = "good"
	}
	out := html.EscapeString(line[:last[2]]) + span(class, line[last[2]:last[3]]) + line[last[4]:last[5]]
	rest := last[5]
	if last[6] >= 0 {
		expected := map[string]string{"yes": "good", "NO": "odd"}
		out += span(expected[line[last[6]:last[7]]], line[last[6]:last[7]])
		rest = last[7]
	}
	return out + html.EscapeString(line[rest:])
}
