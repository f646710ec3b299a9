package modes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"optimus/store"
	"optimus/store/boltstore"
)

// storeCommand is `optimus admin store`: the form in which jobs are kept.
func storeCommand(p Process) *cli.Command {
	flags := append(configFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON"})
	return &cli.Command{
		Name:  "store",
		Usage: "show or upgrade the form in which a stopped server's jobs are kept",
		Subcommands: []*cli.Command{
			{
				Name:   "show",
				Usage:  "show which form the store has, and which is the newest that this binary knows",
				Flags:  flags,
				Action: func(c *cli.Context) error { return onStore(c, p, store.Operator.Schema) },
			},
			{
				Name:   "upgrade",
				Usage:  "bring the store into the newest form; older binaries may then refuse it, so keep a copy of the file",
				Flags:  flags,
				Action: func(c *cli.Context) error { return onStore(c, p, store.Operator.Upgrade) },
			},
		},
	}
}

// schemaOf is a method of a store that tells its form.
type schemaOf func(store.Operator, context.Context) (store.Schema, error)

// onStore opens the store, which no server may have open, and prints the form that it then has.
func onStore(c *cli.Context, p Process, do schemaOf) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if err := checkStore(cfg); err != nil {
		return err
	}
	path := filepath.Join(cfg.Data, storeFile)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no store: %w: state its folder with --data", err)
	}
	st, err := boltstore.Open(path, storeOptions(cfg.Store))
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	schema, err := do(st, c.Context)
	if closeErr := st.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, schema)
	}
	t := newTable("STORE", "FORM", "READABLE FROM", "NEWEST KNOWN").alignRight("FORM", "READABLE FROM", "NEWEST KNOWN")
	t.add(path, strconv.Itoa(schema.Written), strconv.Itoa(schema.MinReader), strconv.Itoa(schema.Known))
	return t.writeTo(p.Stdout)
}
