package modes

import (
	"github.com/urfave/cli/v2"
)

// originalCommands are the words of the original Optimus for commands that are called otherwise here.
// They are not listed, and do what the new words do.
func originalCommands(p Process) []*cli.Command {
	list := &cli.Command{
		Name:        "list-langs",
		Usage:       "list languages, and how to get those that are not available",
		Description: "The same as `optimus admin languages list`." + examples("optimus admin list-langs --local"),
		Flags:       languageFlags(),
		Action:      func(c *cli.Context) error { return listLanguages(c, p) },
	}
	build := imagesBuildCommand(p, &cli.BoolFlag{Name: "json", Usage: "print JSON"})
	build.Name = "build-image"
	render := kubernetesRendering().command(p)
	render.Name, render.Aliases = "render-k8s", nil
	remove := removeLanguageCommand(p, "remove-lang")
	remove.Flags = append(remove.Flags, &cli.StringFlag{Name: "name", Usage: "`NAME` of the language, instead of the argument"})
	for _, f := range build.Flags {
		if rebuild, ok := f.(*cli.BoolFlag); ok && rebuild.Name == "rebuild" {
			rebuild.Aliases = []string{"no-cache"}
		}
	}
	all := []*cli.Command{addLanguageCommand(p, "add-lang"), remove, list, build, render}
	for _, c := range all {
		c.Hidden = true
	}
	return all
}
