package deploy

import (
	"embed"
	"path"
	"time"

	"optimus/config"
)

//go:embed systemd/*.tmpl
var systemdTemplates embed.FS

// SystemData is the data folder of a service of root that states none.
const SystemData = "/var/lib/optimus"

// SystemdOptions is what units go by.
type SystemdOptions struct {
	// Binary is the absolute path of the program.
	Binary string
	// Data is the absolute path of the data folder.
	Data string
	// Stop is the longest that the process may take to stop.
	Stop time.Duration
}

// unit is what the template is given.
type unit struct {
	SystemdOptions

	Name, Description, Command string
	// Shared tells whether the queue is another process's.
	Shared bool
}

// State tells whether the data folder is the one that systemd itself makes.
func (u unit) State() bool { return u.Data == SystemData }

// StopSeconds is Stop in whole seconds, rounded up.
func (u unit) StopSeconds() int64 { return int64((u.Stop + time.Second - 1) / time.Second) }

// ConfigDir is the folder of the settings.
func (u unit) ConfigDir() string { return path.Dir(config.SystemPath) }

// Systemd gives the units of a server and of a worker.
func Systemd(o SystemdOptions) ([]File, error) {
	units := []unit{
		{o, "optimus.service", "Optimus: API, queue and a worker of code judging", "serve", false},
		{o, "optimus-work.service", "Optimus: a worker of a queue on a Redis-protocol server", "work", true},
	}
	files := make([]File, len(units))
	for i, u := range units {
		text, err := execute(systemdTemplates, "systemd/unit.tmpl", u)
		if err != nil {
			return nil, err
		}
		files[i] = File{Name: u.Name, Text: text}
	}
	return files, nil
}
