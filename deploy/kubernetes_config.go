package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"optimus/config"
)

// configDir is where the ConfigMap is in a pod.
const configDir = "/etc/optimus"

// setConfig makes the files of the ConfigMap.
func (m *manifests) setConfig() error {
	m.config.Redis.Queues = config.FormatQueueNumbers(m.numbers)
	m.config.Catalogue = configDir + "/languages.json"
	m.config.Monitoring.Listen = ":" + m.Ports.Monitoring
	m.config.Logging.Format = "json"
	m.Store.settings(&m.config.Redis)
	elsewhere := []string{"kubernetes.", "redis.", "server.", "worker.", "sandbox."}
	common := m.config.TOML(func(path string) bool {
		return slices.ContainsFunc(elsewhere, func(table string) bool { return strings.HasPrefix(path, table) })
	})
	only := func(c config.Config, table string) string {
		return c.TOML(func(path string) bool { return !strings.HasPrefix(path, table) })
	}
	redis := "[redis]\n"
	if u := m.Store.URL(); u != "" { // its type is secret, but this one has no password
		redis += fmt.Sprintf("url = %q\n", u)
	}
	common += "\n" + redis + strings.TrimPrefix(only(m.config, "redis."), "[redis]\n")

	api := m.config
	api.Server.Listen = ":" + m.Ports.API
	api.Worker.Enabled = false
	api.Worker.Queues = nil
	m.APIConfig = common + "\n" + only(api, "server.") + "\n[worker]\nenabled = false\n" + m.keys()

	worker := m.config
	worker.Worker.Grace = m.WorkerGrace
	worker.Worker.Enabled = true
	// Each pod states these: the environment goes before the file.
	worker.Worker.Name, worker.Worker.Slots, worker.Worker.Queues, worker.Worker.Languages = "", 0, nil, nil
	worker.Sandbox.Containerd, worker.Sandbox.PodUID = m.Paths.Socket, ""
	m.WorkerConfig = common + "\n" + only(worker, "worker.") + "\n" + only(worker, "sandbox.")

	m.Sum = sum(m.APIConfig, m.WorkerConfig, m.Languages)
	redisFiles, err := kubernetesTemplates.ReadFile("kubernetes/templates/redis.tmpl")
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	m.RedisSum = sum(string(redisFiles), strconv.FormatInt(m.Store.MaxMemory, 10), m.Store.Fsync)
	return nil
}

// keys states the API keys, each by its entry of the Secret.
func (m *manifests) keys() string {
	var b strings.Builder
	for _, k := range m.Keys {
		fmt.Fprintf(&b, "\n[[keys]]\nname = %q\n# An entry of the Secret %s of this namespace.\nsecret_file = %q\n", k.Name, secretName, secretDir+"/"+k.Entry)
		if len(k.Roles) > 0 {
			fmt.Fprintf(&b, "roles = [\"%s\"]\n", strings.Join(k.Roles, `", "`))
		}
		if k.Rate > 0 {
			fmt.Fprintf(&b, "rate = %s\n", decimal(k.Rate))
		}
	}
	return b.String()
}

// decimal gives a number as TOML has it.
func decimal(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
