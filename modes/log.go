package modes

import (
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// Log formats.
const (
	logAuto    = "auto"
	logConsole = "console"
	logJSON    = "json"
)

// newLogger gives a logger for people on a terminal and one JSON object a line otherwise, unless
// format says which.
func newLogger(w io.Writer, level, format string) (zerolog.Logger, error) {
	lvl, err := zerolog.ParseLevel(level)
	if err != nil || lvl == zerolog.NoLevel {
		return zerolog.Nop(), usagef("log level %q: want trace, debug, info, warn or error", level)
	}
	switch format {
	case logAuto, "":
		if isTerminal(w) {
			w = console(w, false)
		}
	case logConsole:
		w = console(w, !isTerminal(w))
	case logJSON:
	default:
		return zerolog.Nop(), usagef("log format %q: want %s, %s or %s", format, logAuto, logConsole, logJSON)
	}
	return zerolog.New(w).Level(lvl).With().Timestamp().Logger(), nil
}

func console(w io.Writer, plain bool) io.Writer {
	return zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: plain}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
