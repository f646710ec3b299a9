package modes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// moveSummary says what an export or an import has done.
type moveSummary struct {
	// File is where an export was written to, or an import read from.
	File    string `json:"file"`
	Queues  int    `json:"queues"`
	Jobs    int    `json:"jobs"`
	APIKeys int    `json:"api_keys"`
	// Skipped were there already.
	Skipped int   `json:"skipped"`
	Bytes   int64 `json:"bytes"`
}

func (m moveSummary) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, m)
	}
	t := newTable("FILE", "QUEUES", "JOBS", "API KEYS", "SKIPPED", "SIZE").alignRight("QUEUES", "JOBS", "API KEYS", "SKIPPED", "SIZE")
	t.add(m.File, strconv.Itoa(m.Queues), strconv.Itoa(m.Jobs), strconv.Itoa(m.APIKeys), strconv.Itoa(m.Skipped), megabytes(m.Bytes))
	return t.writeTo(w)
}

// moveFlags are those of a command that opens the store of a folder or asks a server.
func moveFlags(more ...cli.Flag) []cli.Flag {
	flags := append(configFlags(), redisFlag(),
		&cli.StringFlag{Name: "server", Usage: "`URL` of a running server to ask, such as http://127.0.0.1:8080"},
		&cli.StringFlag{Name: "key-file", Usage: "`FILE` that holds an API key with the role admin; else " + envKey + " is taken"},
		caFileFlag(),
		&cli.BoolFlag{Name: "json", Usage: "print JSON"},
	)
	return append(flags, more...)
}

// heldHint adds what else can be done where a running server has the store.
func heldHint(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("%w; or have the server that has it do it: --server URL", err)
	}
	return err
}

func exportStore(c *cli.Context, p Process) error {
	write := exportOfFolder
	if c.IsSet("server") {
		write = exportOfServer
	}
	sum := moveSummary{File: c.String("out")}
	progress := newProgressLine(p.Stderr)
	to := func(w io.Writer) error {
		counted := &counter{w: w, told: moveProgress(progress, "export", 0)}
		total, err := write(c, p, counted)
		progress.clear()
		sum.Queues, sum.Jobs, sum.APIKeys, sum.Bytes = total.Queues, total.Jobs, total.APIKeys, counted.n
		return err
	}
	if sum.File == "-" {
		if err := to(p.Stdout); err != nil {
			return err
		}
		return sum.print(p.Stderr, c.Bool("json"))
	}
	const mode = 0o600 // it holds sources, and what they print
	if err := writeWhole(sum.File, mode, to); err != nil {
		return err
	}
	return sum.print(p.Stdout, c.Bool("json"))
}

func exportOfFolder(c *cli.Context, p Process, w io.Writer) (store.ExportTrailer, error) {
	st, path, err := openPresentStore(c)
	if err != nil {
		return store.ExportTrailer{}, heldHint(err)
	}
	total, err := store.Export(c.Context, st, w, time.Now(), p.Version)
	if err = errors.Join(err, st.Close()); err != nil {
		return total, fmt.Errorf("export %s: %w", path, err)
	}
	return total, nil
}

// exportOfServer passes a server's export on, and checks that it is whole.
func exportOfServer(c *cli.Context, _ Process, w io.Writer) (store.ExportTrailer, error) {
	cl, err := newClient(c)
	if err != nil {
		return store.ExportTrailer{}, err
	}
	answer, err := cl.do(c.Context, http.MethodGet, "/v1/store/export", "", nil)
	if err != nil {
		return store.ExportTrailer{}, err
	}
	defer answer.Body.Close()
	lines, err := store.NewRecordReader(io.TeeReader(answer.Body, w), store.MaxRecordLine)
	for err == nil {
		_, err = lines.Next()
	}
	if errors.Is(err, io.EOF) {
		return lines.Trailer, nil
	}
	if c.Err() != nil {
		err = context.Cause(c.Context)
	}
	return store.ExportTrailer{}, fmt.Errorf("the export of %s broke off: %w", cl.base, err)
}

func importStore(c *cli.Context, p Process) error {
	if c.NArg() != 1 {
		return usagef("name a file: %s FILE|-", c.Command.HelpName)
	}
	sum := moveSummary{File: c.Args().First()}
	from, size, err := openExport(c.Context, sum.File, p)
	if err != nil {
		return err
	}
	defer from.Close()
	progress := newProgressLine(p.Stderr)
	counted := &counter{r: from, told: moveProgress(progress, "import", size)}
	read := importIntoFolder
	if c.IsSet("server") {
		read = importIntoServer
	}
	done, err := read(c, counted)
	progress.clear()
	if err != nil {
		return fmt.Errorf("import %s: %w", sum.File, err)
	}
	sum.Queues, sum.Jobs, sum.APIKeys, sum.Skipped, sum.Bytes = done.Queues, done.Jobs, done.APIKeys, done.Skipped, counted.n
	return sum.print(p.Stdout, c.Bool("json"))
}

// openExport opens a file, or standard input, whose reading ends with ctx; size is 0 where it is not
// known.
func openExport(ctx context.Context, name string, p Process) (from io.ReadCloser, size int64, err error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, fmt.Errorf("import: %w", err)
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		return f, size, nil
	}
	// Nothing ends a read of a terminal or of a pipe: it is left behind.
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, p.Stdin)
		_ = w.CloseWithError(err) // it gives none
	}()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	return r, 0, nil
}

// importIntoFolder makes the folder and the store where there are none.
func importIntoFolder(c *cli.Context, r io.Reader) (sum store.Imported, err error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return sum, err
	}
	// The first line is looked at before anything is made.
	lines, err := store.NewRecordReader(r, store.MaxRecordLine)
	if err != nil {
		return sum, err
	}
	st, err := openStore(c.Context, cfg, storeOptions(cfg.Store), false)
	if err != nil {
		return sum, heldHint(err)
	}
	sum, err = store.Import(c.Context, st, lines, func(done store.Imported) { sum = done })
	if err = errors.Join(err, st.Close()); err != nil {
		return sum, fmt.Errorf("%w; before it %d queues and %d jobs were imported and %d skipped: the same command again goes on from there",
			err, sum.Queues, sum.Jobs, sum.Skipped)
	}
	return sum, nil
}

func importIntoServer(c *cli.Context, r io.Reader) (store.Imported, error) {
	cl, err := newClient(c)
	if err != nil {
		return store.Imported{}, err
	}
	answer, err := cl.do(c.Context, http.MethodPost, "/v1/store/import", "application/jsonl", io.NopCloser(r))
	if err != nil {
		return store.Imported{}, err
	}
	defer answer.Body.Close()
	var sum web.ImportSummary
	if err := json.NewDecoder(answer.Body).Decode(&sum); err != nil {
		return store.Imported{}, fmt.Errorf("the answer is not what an Optimus server gives: %w", err)
	}
	return store.Imported(sum), nil
}

// moveProgress shows how far a stream has come.
func moveProgress(l *progressLine, stage string, size int64) func(n int64) {
	show := l.of("store")
	return func(n int64) { show(containerd.Progress{Stage: stage, Done: n, Total: size}) }
}

// counter counts what goes through it, and tells now and then.
type counter struct {
	w    io.Writer
	r    io.Reader
	n    int64
	told func(n int64)
	at   time.Time
}

// tellEvery is the pace of what a counter tells.
const tellEvery = 200 * time.Millisecond

func (c *counter) count(n int) {
	c.n += int64(n)
	if now := time.Now(); now.Sub(c.at) >= tellEvery {
		c.at = now
		c.told(c.n)
	}
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.count(n)
	return n, err //nolint:wrapcheck // its user does
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.count(n)
	return n, err //nolint:wrapcheck // its user does
}
