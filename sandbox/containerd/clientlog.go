package containerd

import (
	"io"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
)

// clientLog passes on what containerd's client logs on its own account, such as of an image that a
// registry has not. Whoever called it gets the error too, so that it is a matter for debugging.
type clientLog struct{ log zerolog.Logger }

// Levels implements [logrus.Hook].
func (clientLog) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook].
func (c clientLog) Fire(e *logrus.Entry) error {
	fields := c.log.Debug().Str("level_there", e.Level.String())
	for name, value := range e.Data {
		if err, ok := value.(error); ok {
			value = err.Error()
		}
		fields = fields.Interface(name, value)
	}
	fields.Msg("containerd's client: " + e.Message)
	return nil
}

// routeClientLog has the client's log go to log. The client knows but one log for the whole process.
func routeClientLog(log zerolog.Logger) {
	hooks := make(logrus.LevelHooks)
	hooks.Add(clientLog{log})
	logrus.StandardLogger().ReplaceHooks(hooks)
	logrus.SetOutput(io.Discard)
}
