package modes

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// manCommand is `optimus man`, for packages. SOURCE_DATE_EPOCH, seconds since 1970, gives the page its date.
func manCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "print the manual page, as roff",
		Hidden: true,
		Action: func(c *cli.Context) error {
			date := ""
			if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
				date = time.Unix(seconds, 0).UTC().Format(time.DateOnly)
			}
			return printed(io.WriteString(p.Stdout, manualPage(c.App, date)))
		},
	}
}

// manualPage has the help of all commands, in the macros of man(7).
func manualPage(app *cli.App, date string) string {
	m := &manual{}
	m.macro("TH", "OPTIMUS", "1", date, "optimus "+app.Version, "")
	m.macro("SH", "NAME")
	m.line("optimus \\- " + roff(app.Usage))
	m.macro("SH", "SYNOPSIS")
	m.line("\\fBoptimus\\fR COMMAND [OPTIONS]")
	m.macro("SH", "DESCRIPTION")
	m.description(app.Description)
	m.macro("SH", "COMMANDS")
	m.line("SETTINGS among a command's options stands for those of SETTINGS below.")
	m.commands("optimus", app.Commands)
	m.macro("SH", "SETTINGS")
	m.options(configFlags(), nil)
	m.macro("SH", "EXIT STATUS")
	for _, e := range exitMeanings() {
		m.tagged(strconv.Itoa(e.code), e.meaning)
	}
	m.macro("SH", "FILES")
	m.tagged("\\fI"+roff(config.SystemPath)+"\\fR", "settings, where no --config and no OPTIMUS_CONFIG name others")
	m.tagged("\\fI/var/lib/optimus\\fR", "root's data folder: the queue, the catalogue languages.json, a private containerd")
	m.macro("SH", "ENVIRONMENT")
	m.tagged("OPTIMUS_\\fISECTION\\fR_\\fISETTING\\fR", "any setting: server.listen is OPTIMUS_SERVER_LISTEN")
	m.tagged(envKey, "the key that the admin commands show to a server")
	return m.String()
}

// manual is a manual page that is being written.
type manual struct{ strings.Builder }

func (m *manual) line(text string) { m.WriteString(text + "\n") }

func (m *manual) macro(name string, args ...string) {
	m.WriteString("." + name)
	for _, a := range args {
		fmt.Fprintf(m, " \"%s\"", roff(a))
	}
	m.WriteString("\n")
}

// tagged is a paragraph under a tag, which is roff already.
func (m *manual) tagged(tag, text string) {
	m.macro("TP")
	m.line(tag)
	m.line(roff(text))
}

func (m *manual) commands(above string, all []*cli.Command) {
	for _, c := range all {
		if c.Hidden {
			continue
		}
		name := above + " " + c.Name
		if len(c.Subcommands) > 0 {
			if c.Description != "" {
				m.macro("SS", name)
				m.description(c.Description)
			}
			m.commands(name, c.Subcommands)
			continue
		}
		m.macro("SS", strings.TrimSpace(name+" [OPTIONS] "+c.ArgsUsage))
		usage := c.Usage
		if len(c.Aliases) > 0 {
			usage += " (also " + strings.Join(c.Aliases, ", ") + ")"
		}
		m.line(roff(sentence(usage)))
		m.macro("PP")
		m.description(c.Description)
		m.options(c.Flags, configFlags())
	}
}

// description has its examples, which are indented, as they are, and the rest filled.
func (m *manual) description(text string) {
	for i, part := range strings.Split(text, "\n\n") {
		if example := strings.HasPrefix(part, "   "); example {
			m.macro("PP")
			m.macro("RS", "4")
			m.macro("nf")
			for l := range strings.Lines(part) {
				m.line(roff(strings.TrimSpace(l)))
			}
			m.macro("fi")
			m.macro("RE")
			continue
		}
		if i > 0 {
			m.macro("PP")
		}
		m.line(roff(part))
	}
}

// options lists flags; in place of those that are elsewhere stands one word.
func (m *manual) options(flags, elsewhere []cli.Flag) {
	known := map[string]bool{"help": true}
	for _, f := range elsewhere {
		known[f.Names()[0]] = true
	}
	settings := false
	for _, f := range flags {
		shown, ok := f.(cli.DocGenerationFlag)
		if v, visible := f.(cli.VisibleFlag); !ok || !visible || !v.IsVisible() {
			continue
		}
		if known[f.Names()[0]] {
			settings = settings || f.Names()[0] != "help"
			continue
		}
		m.tagged(flagTag(f.Names(), shown), flagText(shown))
	}
	if settings {
		m.tagged("SETTINGS", "see below")
	}
}

// flagTag gives a flag's names, with the name of its value after them.
func flagTag(names []string, f cli.DocGenerationFlag) string {
	tags := make([]string, len(names))
	for i, name := range names {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		tags[i] = "\\fB" + roff(dashes+name) + "\\fR"
	}
	tag := strings.Join(tags, ", ")
	if _, after, found := strings.Cut(f.GetUsage(), "`"); found {
		value, _, _ := strings.Cut(after, "`")
		tag += " \\fI" + roff(value) + "\\fR"
	}
	return tag
}

func flagText(f cli.DocGenerationFlag) string {
	text := strings.ReplaceAll(f.GetUsage(), "`", "")
	if d := f.GetDefaultText(); d != "" && f.TakesValue() {
		text += " (default: " + strings.Trim(d, `"`) + ")"
	}
	return text
}

// sentence makes one of a command's usage.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// roff gives text that means itself, its first sign on each line included.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
