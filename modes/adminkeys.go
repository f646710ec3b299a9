package modes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/store"
	"optimus/web"
)

// keysCommand is `optimus admin keys`: the API keys that the store keeps.
func keysCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "keys",
		Usage: "make, list, replace or revoke API keys, which the store keeps as hashes",
		Description: "They work beside the [[keys]] of optimus.toml, on every server of the store. A running server is asked with --server;\n" +
			"without it the store itself is opened: that in the data folder, which no server may have open, or with --redis-url\n" +
			"that of a Redis-protocol server. So the first key of an installation is made before its server listens for others.\n\n" +
			"   optimus admin keys create root --role admin\n" +
			"   optimus admin keys create course-2 --rate 5 --expires 180d --server http://127.0.0.1:8080",
		Subcommands: []*cli.Command{
			{
				Name:  "create",
				Usage: "make a key, and print it: this once, since only its hash is kept",
				Description: "NAME is the tenant that the key's jobs belong to; several keys may share it. Without --role it may submit and read.\n" +
					"The first key there is must have the role admin: from then on every request needs a key. How many jobs of a tenant\n" +
					"wait or run at once is one setting for all: store.tenant_queued and store.tenant_running." +
					examples("optimus admin keys create root --role admin", "optimus admin keys create course-2 --role submit --role read --rate 5 --expires 180d"),
				ArgsUsage: "NAME",
				Flags: moveFlags(
					&cli.StringSliceFlag{Name: "role", Usage: "let it `ROLE`: submit, read or admin; may be repeated"},
					&cli.Float64Flag{Name: "rate", Usage: "`N` requests per second; a minute's worth may come at once", DefaultText: "the server's"},
					&cli.StringFlag{Name: "expires", Usage: "let it hold until `WHEN`: a time from now such as 36h or 90d, or 2027-01-31, or 2027-01-31T12:00:00Z", DefaultText: "never"},
				),
				Action: func(c *cli.Context) error { return createKey(c, p) },
			},
			{
				Name:  "list",
				Usage: "list the keys of the store, without the keys themselves",
				Description: "STATE is valid or expired; what is revoked is gone. Keys of optimus.toml stand there alone." +
					examples("optimus admin keys list", "optimus admin keys list --server http://127.0.0.1:8080 --key-file root.key"),
				Flags:  moveFlags(),
				Action: func(c *cli.Context) error { return listKeys(c, p) },
			},
			{
				Name:  "revoke",
				Usage: "have a key hold no more, on every server of the store within two seconds",
				Description: "KEY is a key's id, or its name where one key alone has it. The last key with the role admin is not revoked:\n" +
					"make another first, or rotate it." + examples("optimus admin keys revoke k-46f04e4130bd"),
				CustomHelpTemplate: helpOfDestroyer(),
				ArgsUsage:          "KEY",
				Flags:              moveFlags(yesFlag()),
				Action:             func(c *cli.Context) error { return revokeKey(c, p) },
			},
			{
				Name:  "rotate",
				Usage: "replace a key by one of the same name, roles, rate and time to live, and print it",
				Description: "KEY is a key's id, or its name where one key alone has it. The old key holds no more, unless --overlap lets it." +
					examples("optimus admin keys rotate root", "optimus admin keys rotate course-2 --overlap 7d"),
				CustomHelpTemplate: helpOfDestroyer(),
				ArgsUsage:          "KEY",
				Flags: moveFlags(yesFlag(),
					&cli.StringFlag{Name: "overlap", Value: "0s", Usage: "let the old key hold for `TIME` more, such as 1h or 7d"},
				),
				Action: func(c *cli.Context) error { return rotateKey(c, p) },
			},
		},
	}
}

// yesFlag answers what confirm would ask.
func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask whether it is meant"}
}

// confirm asks on a terminal whether what destroys is meant; elsewhere --yes must say so.
func confirm(c *cli.Context, p Process, question string) error {
	if c.Bool("yes") {
		return nil
	}
	if !isTerminal(p.Stderr) || !isTerminal(p.Stdin) {
		return usagef("%s: there is no terminal to ask on; --yes says that it is meant", question)
	}
	fmt.Fprintf(p.Stderr, "%s? [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // nothing ends a read of a terminal: it is left behind
		line, _ := bufio.NewReader(p.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	case <-c.Done():
	}
	return errors.New("nothing was changed")
}

// keyStore is who manages keys: a server, or this process on the store.
type keyStore interface {
	Create(ctx context.Context, req web.KeyRequest) (web.NewKey, error)
	List(ctx context.Context) (web.KeyList, error)
	Revoke(ctx context.Context, id string) error
	Rotate(ctx context.Context, id string, overlap time.Duration) (web.NewKey, error)
}

// remoteKeys asks a server.
type remoteKeys struct{ *client }

func (r remoteKeys) Create(ctx context.Context, req web.KeyRequest) (made web.NewKey, err error) {
	return made, r.call(ctx, http.MethodPost, "/v1/keys", req, &made)
}

func (r remoteKeys) List(ctx context.Context) (list web.KeyList, err error) {
	return list, r.call(ctx, http.MethodGet, "/v1/keys", nil, &list)
}

func (r remoteKeys) Revoke(ctx context.Context, id string) error {
	return r.call(ctx, http.MethodDelete, "/v1/keys/"+url.PathEscape(id), nil, nil)
}

func (r remoteKeys) Rotate(ctx context.Context, id string, overlap time.Duration) (made web.NewKey, err error) {
	req := web.RotateRequest{OverlapSeconds: int64(overlap.Round(time.Second).Seconds())}
	return made, r.call(ctx, http.MethodPost, "/v1/keys/"+url.PathEscape(id)+"/rotate", req, &made)
}

// withKeys does something with the keys of the server that --server names, or else of the store, which
// `create` makes where there is none: a fresh installation has its first key before anything else.
func withKeys(c *cli.Context, do func(keyStore) error) error {
	if c.IsSet("server") {
		cl, err := newClient(c)
		if err != nil {
			return err
		}
		return do(remoteKeys{cl})
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if c.Command.Name != "create" && !cfg.Redis.Present() {
		if _, err := storeFileOf(cfg); err != nil {
			return err
		}
	}
	st, err := openStore(c.Context, cfg, storeOptions(cfg.Store), false)
	if err != nil {
		return heldHint(err)
	}
	err = do(web.KeyManager{Store: st, Now: time.Now, Configured: webKeys(cfg)})
	if problem, ok := errors.AsType[*web.Problem](err); ok {
		err = &refusalError{request: "keys " + c.Command.Name, problem: *problem}
	}
	return errors.Join(err, st.Close())
}

// roles are those that a key can have.
func roles() []string {
	return []string{string(web.RoleSubmit), string(web.RoleRead), string(web.RoleAdmin)}
}

func createKey(c *cli.Context, p Process) error {
	if c.NArg() != 1 {
		return usagef("name the key: %s NAME", c.Command.HelpName)
	}
	for _, role := range c.StringSlice("role") {
		if !slices.Contains(roles(), role) {
			return usagef("--role %q: want one of %s", role, strings.Join(roles(), ", "))
		}
	}
	if rate := c.Float64("rate"); rate < 0 {
		return usagef("--rate %g: want 0 or more requests per second", rate)
	}
	req := web.KeyRequest{Name: c.Args().First(), Roles: c.StringSlice("role"), Rate: c.Float64("rate")}
	expires, err := parseExpiry(c.String("expires"), time.Now())
	if err != nil {
		return err
	}
	if !expires.IsZero() {
		req.ExpiresAt = expires.UTC().Format(time.RFC3339)
	}
	return withKeys(c, func(s keyStore) error {
		made, err := s.Create(c.Context, req)
		if err != nil {
			return err
		}
		return printNewKey(c, p, made)
	})
}

// parseExpiry reads a time from now, a day or a time; nothing is never.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			if !t.After(now) {
				return t, usagef("--expires %q is in the past", text)
			}
			return t, nil
		}
	}
	return time.Time{}, usagef("--expires %q: want a time from now such as 36h or 90d, or 2027-01-31, or 2027-01-31T12:00:00Z", text)
}

// printNewKey prints the key alone on standard output, so that a script can take it from there.
func printNewKey(c *cli.Context, p Process, made web.NewKey) error {
	if c.Bool("json") {
		return writeJSON(p.Stdout, made)
	}
	until := ""
	if !made.ExpiresAt.IsZero() {
		until = ", until " + made.ExpiresAt.Format(time.RFC3339)
	}
	fmt.Fprintf(p.Stderr, "%s: a key of %s with the roles %s%s. It is shown this once:\n", made.ID, made.Name, strings.Join(made.Roles, ", "), until)
	return printed(io.WriteString(p.Stdout, made.Secret+"\n"))
}

func listKeys(c *cli.Context, p Process) error {
	return withKeys(c, func(s keyStore) error {
		list, err := s.List(c.Context)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return writeJSON(p.Stdout, list.Keys)
		}
		t := newTable("ID", "NAME", "ROLES", "RATE", "CREATED", "EXPIRES", "STATE").alignRight("RATE")
		for _, k := range list.Keys {
			rate, expires := "the server's", "never"
			if k.Rate > 0 {
				rate = strconv.FormatFloat(k.Rate, 'f', -1, 64) + "/s"
			}
			if !k.ExpiresAt.IsZero() {
				expires = k.ExpiresAt.Format(time.RFC3339)
			}
			t.add(oneLine(k.ID, 64), oneLine(k.Name, 64), strings.Join(k.Roles, ", "), rate, ago(time.Now(), k.CreatedAt), expires, k.State)
		}
		return t.writeTo(p.Stdout)
	})
}

// keyNamed gives the key that an id means, or a name that one key alone has.
func keyNamed(c *cli.Context, s keyStore) (found web.KeyInfo, err error) {
	if c.NArg() != 1 {
		return found, usagef("name one key by its id: %s KEY", c.Command.HelpName)
	}
	name := c.Args().First()
	list, err := s.List(c.Context)
	if err != nil {
		return found, err
	}
	var ids []string
	for _, k := range list.Keys {
		if k.ID == name {
			return k, nil
		}
		if k.Name == name {
			ids, found = append(ids, k.ID), k
		}
	}
	switch len(ids) {
	case 0:
		return found, fmt.Errorf("there is no key %q: `optimus admin keys list` shows what there is; keys of optimus.toml are changed there", name)
	case 1:
		return found, nil
	default:
		return found, fmt.Errorf("%d keys are called %q: name one by its id: %s", len(ids), name, strings.Join(ids, ", "))
	}
}

func revokeKey(c *cli.Context, p Process) error {
	return withKeys(c, func(s keyStore) error {
		k, err := keyNamed(c, s)
		if err != nil {
			return err
		}
		if err := confirm(c, p, fmt.Sprintf("revoke %s, a key of %s with the roles %s", k.ID, k.Name, strings.Join(k.Roles, ", "))); err != nil {
			return err
		}
		if err := s.Revoke(c.Context, k.ID); err != nil {
			return err
		}
		if c.Bool("json") {
			return writeJSON(p.Stdout, k)
		}
		return printed(fmt.Fprintf(p.Stdout, "revoked %s (%s)\n", k.ID, k.Name))
	})
}

func rotateKey(c *cli.Context, p Process) error {
	overlap, err := config.ParseDuration(c.String("overlap"))
	if err != nil {
		return usagef("--overlap: %w", err)
	}
	return withKeys(c, func(s keyStore) error {
		k, err := keyNamed(c, s)
		if err != nil {
			return err
		}
		if overlap == 0 {
			if err := confirm(c, p, fmt.Sprintf("replace %s, a key of %s, which then holds no more (--overlap lets it)", k.ID, k.Name)); err != nil {
				return err
			}
		}
		made, err := s.Rotate(c.Context, k.ID, overlap)
		if err != nil {
			return err
		}
		return printNewKey(c, p, made)
	})
}

var _ keyStore = web.KeyManager{}

// storedKeys gives the API keys that a store has, for a server that is about to listen.
func storedKeys(ctx context.Context, st store.Keyring) ([]store.APIKey, error) {
	keys, err := st.APIKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API keys of the store: %w", err)
	}
	return keys, nil
}
