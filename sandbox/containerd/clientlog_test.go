package containerd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
)

// TestTheClientsLogIsOurs: nothing that the client says reaches standard error by itself.
func TestTheClientsLogIsOurs(t *testing.T) {
	var log bytes.Buffer
	// As every command does it, of which the last holds.
	for range 2 {
		_, err := Connect(t.Context(), DaemonOptions{Mode: "relative", Log: zerolog.New(&log)})
		if err == nil {
			t.Fatal("connected to nothing")
		}
	}
	logrus.WithError(errors.New("the cause")).WithField("host", "registry").Error("trying next host")
	got := log.String()
	for _, want := range []string{`"level":"debug"`, "trying next host", "the cause", "registry"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("logged %s, want %s once", got, want)
		}
	}
	if out := logrus.StandardLogger().Out; out != io.Discard {
		t.Errorf("it also goes to %T", out)
	}
}
