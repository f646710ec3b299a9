package modes

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/deploy"
	"optimus/sandbox/containerd"
	"optimus/web"
)

// rendering is one thing that `optimus admin render` makes from the settings.
type rendering struct {
	name, usage, description string
	// aliases are other names of it.
	aliases []string
	// args names its arguments, all of which must be there.
	args []string
	// flags beside those of the settings and --out.
	flags []cli.Flag
	// settings are those of these flags that state one, by flag.
	settings map[string]string
	files    func(c *cli.Context, p Process, cfg config.Config) ([]deploy.File, error)
}

func renderings() []rendering {
	return []rendering{
		{
			name:        "compose",
			usage:       "print a compose.yaml of API, queue and worker for one machine",
			description: "docs/DEPLOY.md has the steps." + examples("optimus admin render compose > compose.yaml"),
			flags: []cli.Flag{
				&cli.StringFlag{Name: "image", Value: "optimus", Usage: "`REFERENCE` of Optimus's image"},
				&cli.StringFlag{Name: "queue-image", Value: "redis:8", Usage: "`REFERENCE` of an image with redis-server"},
			},
			files: renderCompose,
		},
		kubernetesRendering(),
		{
			name:  "systemd",
			usage: "print systemd's units of serve and work",
			description: "The Debian package has them. Render them where data, worker.grace or server.shutdown_timeout differ, or without\n" +
				"the package; then say `systemctl daemon-reload`." +
				examples("optimus admin render systemd --out /etc/systemd/system"),
			flags: []cli.Flag{
				&cli.StringFlag{Name: "binary", Value: "/usr/bin/optimus", Usage: "`PATH` of the program"},
			},
			files: renderSystemd,
		},
		{
			name:  "dockerfile",
			usage: "print a language's recipe as a Dockerfile, to build its image elsewhere",
			description: "Any OCI image will do as a language's image: `optimus admin images import` or `pull` brings what was built." +
				examples("optimus admin render dockerfile python > Dockerfile"),
			args:  []string{"LANGUAGE"},
			files: renderDockerfile,
		},
		{
			name:        "openapi",
			usage:       "print the OpenAPI document of the API, to generate clients from",
			description: "A server shows the same at /openapi.json, with the bounds of its settings." + examples("optimus admin render openapi > openapi.json"),
			files:       renderOpenAPI,
		},
	}
}

// renderCommand is `optimus admin render`: what Optimus is deployed with, by the settings.
func renderCommand(p Process) *cli.Command {
	render := &cli.Command{
		Name:  "render",
		Usage: "print what Optimus is deployed with, by the settings",
	}
	for _, r := range renderings() {
		render.Subcommands = append(render.Subcommands, r.command(p))
	}
	return render
}

func (r rendering) command(p Process) *cli.Command {
	usage := strings.Join(r.args, " ")
	return &cli.Command{
		Name:        r.name,
		Aliases:     r.aliases,
		Usage:       r.usage,
		Description: r.description,
		ArgsUsage:   usage,
		Flags: append(append(configFlags(), r.flags...),
			&cli.StringFlag{Name: "out", Usage: "write the files into `FOLDER`, over those that are there, instead of printing them"}),
		Action: func(c *cli.Context) error {
			if c.NArg() != len(r.args) {
				return usagef("name one: %s %s", c.Command.HelpName, usage)
			}
			// What is rendered is run by root, whoever renders it.
			cfg, err := loadConfigOf(c, true, r.settings)
			if err != nil {
				return err
			}
			files, err := r.files(c, p, cfg)
			if err != nil {
				return err
			}
			if dir := c.String("out"); dir != "" {
				return writeFiles(p, dir, files)
			}
			return printed(io.WriteString(p.Stdout, deploy.Join(files)))
		},
	}
}

// writeFiles puts rendered files below a folder, and names each on standard error.
func writeFiles(p Process, dir string, files []deploy.File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // holds nothing secret
			return fmt.Errorf("write the rendering: %w", err)
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil { //nolint:gosec // as above
			return fmt.Errorf("write the rendering: %w", err)
		}
		if _, err := fmt.Fprintln(p.Stderr, path); err != nil {
			return fmt.Errorf("write the rendering: %w", err)
		}
	}
	return nil
}

func renderSystemd(c *cli.Context, _ Process, cfg config.Config) ([]deploy.File, error) {
	binary := c.String("binary")
	if !filepath.IsAbs(binary) || strings.ContainsAny(binary, " \t\n%$") {
		return nil, usagef("--binary %q: want an absolute path without spaces", binary)
	}
	return deploy.Systemd(deploy.SystemdOptions{Binary: binary, Data: cfg.Data, Stop: stopTime(cfg)})
}

func renderCompose(c *cli.Context, _ Process, cfg config.Config) ([]deploy.File, error) {
	text, err := deploy.Compose(cfg, deploy.ComposeOptions{
		Image: c.String("image"), QueueImage: c.String("queue-image"), Stop: stopTime(cfg),
	})
	if err != nil {
		return nil, err
	}
	return []deploy.File{{Name: "compose.yaml", Text: text}}, nil
}

func renderDockerfile(c *cli.Context, _ Process, cfg config.Config) ([]deploy.File, error) {
	languages, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return nil, err
	}
	all := newCatalogue(languages, nil)
	e, err := all.find(c.Args().First(), "")
	if err != nil {
		return nil, err
	}
	recipe, ok := all.recipe(e.config.Image, "")
	if !ok {
		return nil, fmt.Errorf("language %s has no recipe: its image is %s", e.config.Name, e.config.Image)
	}
	text, err := containerd.RenderDockerfile(recipe)
	if err != nil {
		return nil, err
	}
	return []deploy.File{{Name: "Dockerfile", Text: text}}, nil
}

func renderOpenAPI(_ *cli.Context, p Process, cfg config.Config) ([]deploy.File, error) {
	o := webOptions(web.Options{}, cfg)
	o.Version = p.Version
	doc, err := web.OpenAPI(o)
	if err != nil {
		return nil, err
	}
	return []deploy.File{{Name: "openapi.json", Text: string(doc) + "\n"}}, nil
}
