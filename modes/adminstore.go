package modes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/store"
	"optimus/store/boltstore"
)

// storeCommand is `optimus admin store`: what keeps the jobs.
func storeCommand(p Process) *cli.Command {
	flags := append(configFlags(), redisFlag(), &cli.BoolFlag{Name: "json", Usage: "print JSON"})
	return &cli.Command{
		Name:  "store",
		Usage: "back up, move, check, compact or upgrade what keeps the jobs",
		Subcommands: []*cli.Command{
			{
				Name:  "export",
				Usage: "write all queues, jobs and API keys (as hashes) as lines of JSON: a backup, and what import takes",
				Description: "Reads the store in the data folder, which no server may have open, or with --server asks a running one,\n" +
					"which goes on meanwhile. The file gets its name when all of it is there." +
					examples("optimus admin store export --out optimus.jsonl --server http://127.0.0.1:8080"),
				Flags: moveFlags(
					&cli.StringFlag{Name: "out", Value: "-", Usage: "write to `FILE`; - is standard output"},
				),
				Action: func(c *cli.Context) error { return exportStore(c, p) },
			},
			{
				Name:  "import",
				Usage: "add what an export holds to the store",
				Description: "Into the store in the data folder, which no server may have open, or with --server into that of a running one.\n" +
					"What is there already is skipped: an import that broke off is completed by the same command again." +
					examples("optimus admin store import optimus.jsonl", "optimus admin store import optimus.jsonl --redis-url redis://queue:6379"),
				ArgsUsage: "FILE|-",
				Flags:     moveFlags(),
				Action:    func(c *cli.Context) error { return importStore(c, p) },
			},
			{
				Name:  "check",
				Usage: "examine a stopped server's store: every page, and whether indexes, figures and jobs agree",
				Description: "Nothing is changed. Faults are listed, each with the job or the page that has it." +
					examples("optimus admin store check --data /var/lib/optimus"),
				Flags:  flags,
				Action: func(c *cli.Context) error { return checkStoreFile(c, p) },
			},
			{
				Name:  "compact",
				Usage: "write a stopped server's store anew, without the room that nothing uses",
				Description: "It needs room on the disk for what is left, and says the size before and after." +
					examples("optimus admin store compact"),
				Flags:  flags,
				Action: func(c *cli.Context) error { return compactStoreFile(c, p) },
			},
			{
				Name:  "show",
				Usage: "show which form the store has, of a stopped server or of a Redis-protocol one, and which is the newest that this binary knows",
				Description: "FORM is what the store is written in, READABLE FROM the oldest form that a binary must know to read it." +
					examples("optimus admin store show"),
				Flags:  flags,
				Action: func(c *cli.Context) error { return onStore(c, p, store.Operator.Schema) },
			},
			{
				Name:  "upgrade",
				Usage: "bring the store, of a stopped server or of a Redis-protocol one, into the newest form; older binaries may then refuse it, so keep an export",
				Description: "Nothing but this command does it: until then a new binary writes the old form, and an old one can be put back." +
					examples("optimus admin store export --out before.jsonl", "optimus admin store upgrade"),
				Flags:  flags,
				Action: func(c *cli.Context) error { return onStore(c, p, store.Operator.Upgrade) },
			},
		},
	}
}

// storeFileOf gives the path of the store's file, which must be there.
func storeFileOf(cfg config.Config) (string, error) {
	path := filepath.Join(cfg.Data, storeFile)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no store: %w: state its folder with --data, or its server with --redis-url", err)
	}
	return path, nil
}

// onlyFile gives the path of the store's file for what a server of its own does for its keys.
func onlyFile(c *cli.Context) (string, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return "", err
	}
	if cfg.Redis.Present() {
		return "", fmt.Errorf("%s is for a store in a file; the settings mean a Redis-protocol server (redis.url, from %s), which sees to its own",
			c.Command.Name, cfg.Origin("redis.url"))
	}
	return storeFileOf(cfg)
}

// openPresentStore opens the store that the settings mean, which must be there: a file that no server
// may have open, or a Redis-protocol server's. name says which it is.
func openPresentStore(c *cli.Context) (st store.Store, name string, err error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, "", err
	}
	if !cfg.Redis.Present() {
		if _, err := storeFileOf(cfg); err != nil {
			return nil, "", err
		}
	}
	st, err = openStore(c.Context, cfg, storeOptions(cfg.Store), false)
	return st, storeName(cfg), err
}

// schemaOf is a method of a store that tells its form.
type schemaOf func(store.Operator, context.Context) (store.Schema, error)

// onStore opens the store and prints the form that it then has.
func onStore(c *cli.Context, p Process, do schemaOf) error {
	st, path, err := openPresentStore(c)
	if err != nil {
		return err
	}
	schema, err := do(st, c.Context)
	if err = errors.Join(err, st.Close()); err != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, schema)
	}
	t := newTable("STORE", "FORM", "READABLE FROM", "NEWEST KNOWN").alignRight("FORM", "READABLE FROM", "NEWEST KNOWN")
	t.add(path, strconv.Itoa(schema.Written), strconv.Itoa(schema.MinReader), strconv.Itoa(schema.Known))
	return t.writeTo(p.Stdout)
}

// checkStoreFile prints what is wrong with the store's file, and what to do.
func checkStoreFile(c *cli.Context, p Process) error {
	path, err := onlyFile(c)
	if err != nil {
		return err
	}
	found, err := boltstore.Check(path)
	if err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	if c.Bool("json") {
		if err := writeJSON(p.Stdout, found); err != nil {
			return err
		}
	} else {
		for _, f := range found.Faults {
			fmt.Fprintln(p.Stdout, f)
		}
		t := newTable("STORE", "QUEUES", "JOBS", "SIZE", "FREE", "").alignRight("QUEUES", "JOBS", "SIZE", "FREE")
		state := "good"
		if len(found.Faults) > 0 {
			state = "damaged"
		}
		t.add(path, strconv.Itoa(found.Queues), strconv.Itoa(found.Jobs), megabytes(found.Bytes), megabytes(found.Free), state)
		if err := t.writeTo(p.Stdout); err != nil {
			return err
		}
	}
	if len(found.Faults) == 0 {
		return nil
	}
	return errors.New("the store has faults; nothing was changed. Restore a backup or, to make the indexes anew from the jobs: " +
		"`optimus admin store export --out optimus.jsonl`, move " + path + " away, `optimus admin store import optimus.jsonl`")
}

// compactStoreFile gives back what the store's file does not use.
func compactStoreFile(c *cli.Context, p Process) error {
	path, err := onlyFile(c)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stderr, "compacting", path)
	done, err := boltstore.Compact(c.Context, path)
	if err != nil {
		return fmt.Errorf("compact the store: %w", err)
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, done)
	}
	t := newTable("STORE", "BEFORE", "AFTER").alignRight("BEFORE", "AFTER")
	t.add(path, megabytes(done.Before), megabytes(done.After))
	return t.writeTo(p.Stdout)
}
