package modes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox/containerd"
)

// doctorCommand is `optimus admin doctor`: what this machine lacks, and how to mend it.
func doctorCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "examine this machine: kernel, cgroups, containerd, images, disk, the TLS certificate and the queue's server; say how to mend what is wrong",
		Description: "It may be run beside a server; where no containerd runs, it starts a private one for the moment. Below each check that\n" +
			"is not well stands what mends it; `warn` is what works all the same. Exit code 1: a check failed." +
			examples("sudo optimus admin doctor", "sudo optimus admin doctor --redis-url redis://queue:6379",
				"optimus admin doctor --manifests deploy/kubernetes --redis-url redis://queue:6379"),
		Flags: append(configFlags(), redisFlag(), manifestsFlag(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}),
		Action: func(c *cli.Context) error {
			return examine(c, p, containerd.Doctor)
		},
	}
}

// examine prints every check, and fails where one does.
func examine(c *cli.Context, p Process, doctor func(context.Context, containerd.DoctorOptions) []containerd.Check) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	var checks []containerd.Check
	if from := c.String("manifests"); from != "" {
		checks, err = examineManifests(c.Context, p, cfg, from)
	} else {
		checks, err = examineMachine(c.Context, p, cfg, doctor)
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = writeJSON(p.Stdout, checks)
	} else {
		err = checkTable(checks).writeTo(p.Stdout)
	}
	if err != nil {
		return err
	}
	if failed := countChecks(checks, containerd.StatusFail); failed > 0 {
		return fmt.Errorf("%d of %d checks failed: mend them as it says beside each", failed, len(checks))
	}
	return nil
}

// examineMachine is what there is to say of this machine, as far as the process that the settings are of needs it,
// and of the queue's server: an API without a worker needs nothing of it that judges.
func examineMachine(ctx context.Context, p Process, cfg config.Config, doctor func(context.Context, containerd.DoctorOptions) []containerd.Check) ([]containerd.Check, error) {
	if !cfg.Worker.Enabled {
		checks := []containerd.Check{{Name: "worker", Status: containerd.StatusOK, Detail: "none here (worker.enabled is false), so nothing that judges is looked at"}}
		if !cfg.Redis.Present() {
			checks = append(checks, containerd.CheckDataDir(cfg.Data)...)
		}
		return append(checks, examineStore(ctx, cfg)...), nil
	}
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return nil, err
	}
	languages, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return nil, err
	}
	o := containerd.DoctorOptions{
		DataDir: cfg.Data, Daemon: daemonOptions(cfg, log), CgroupParent: cfg.Sandbox.CgroupParent, PodUID: cfg.Sandbox.PodUID,
		Slots: slots(cfg.Worker.Slots), LargestRun: int64(cfg.Limits.Memory),
	}
	for _, e := range newCatalogue(languages, nil).entries() {
		if q := cmp.Or(e.config.Queue, config.DefaultQueue); len(cfg.Worker.Queues) > 0 && !slices.Contains(cfg.Worker.Queues, q) {
			continue
		}
		image := containerd.LanguageImage{Language: e.config.Name, Ref: e.config.Image, HowToGet: howToGet(e.config)}
		if cfg.Sandbox.PodUID != "" {
			image.HowToGet = "on the node: " + image.HowToGet
		}
		if !slices.Contains(o.Images, image) {
			o.Images = append(o.Images, image)
		}
		if name := e.config.Runtime; name != "" {
			o.Runtimes = append(o.Runtimes, containerd.LanguageRuntime{Language: e.config.Name, Runtime: name})
		}
	}
	checks := append(doctor(ctx, o), examineCertificate(cfg.Server, time.Now())...)
	return append(checks, examineStore(ctx, cfg)...), nil
}

// checkTable shows below each check that is not well what mends it.
func checkTable(checks []containerd.Check) *table {
	t := newTable("", "CHECK", "FOUND")
	for _, c := range checks {
		t.add(string(c.Status), c.Name, c.Detail)
		if c.Fix != "" {
			t.add("", "", "→ "+c.Fix)
		}
	}
	return t
}

func countChecks(checks []containerd.Check, status containerd.Status) int {
	n := 0
	for _, c := range checks {
		if c.Status == status {
			n++
		}
	}
	return n
}
