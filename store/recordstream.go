package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"
)

const (
	// ExportFormat is what an export calls itself.
	ExportFormat = "optimus export"
	// ExportVersion is the form of an export that is written.
	ExportVersion = 1
	// exportMinReader is the least that a reader of it must know.
	exportMinReader = 1
	// MaxRecordLine is the longest line, in bytes: room for a job with the largest submission and
	// report that a store may be set to take.
	MaxRecordLine = 2<<30 + 1<<28
)

// ExportHeader is the first line of an export.
type ExportHeader struct {
	Format    string `json:"format"`
	Version   int    `json:"version"`
	MinReader int    `json:"min_reader"`
	// Made is when, by whom By says: the version of a binary.
	Made time.Time `json:"made"`
	By   string    `json:"by"`
}

// ExportTrailer is the last line of an export.
type ExportTrailer struct {
	Queues int `json:"queues"`
	Jobs   int `json:"jobs"`
	// APIKeys is left out where there are none, so that older binaries know all of it.
	APIKeys int `json:"api_keys,omitempty"`
	// SHA256 is that of all lines before, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// The kinds of line.
const (
	kindHeader  = "header"
	kindQueue   = "queue"
	kindJob     = "job"
	kindAPIKey  = "api_key"
	kindTrailer = "trailer"
)

// recordLine is a line of an export. It says where it stands, so that one which is missing, there
// twice or in another place is seen, and has a checksum, so that a damaged one is.
type recordLine struct {
	Line int    `json:"line"`
	Kind string `json:"kind"`
	// Sum is the CRC-32C of kind, a line feed and record, in hexadecimal.
	Sum    string          `json:"sum"`
	Record json.RawMessage `json:"record"`
}

func (l *recordLine) sum() string {
	table := crc32.MakeTable(crc32.Castagnoli)
	return fmt.Sprintf("%08x", crc32.Update(crc32.Checksum([]byte(l.Kind+"\n"), table), table, l.Record))
}

// RecordWriter writes an export: lines of JSON, the first of which says what this is, the last that
// it is whole.
type RecordWriter struct {
	w     io.Writer
	hash  hash.Hash
	lines int
	total ExportTrailer
}

// NewRecordWriter begins an export, made at a time by a version of the binary.
func NewRecordWriter(w io.Writer, made time.Time, by string) (*RecordWriter, error) {
	rw := &RecordWriter{w: w, hash: sha256.New()}
	return rw, rw.line(kindHeader, ExportHeader{
		Format: ExportFormat, Version: ExportVersion, MinReader: exportMinReader, Made: made.UTC(), By: by,
	})
}

// Write writes a record.
func (w *RecordWriter) Write(r Record) error {
	switch {
	case r.Queue != nil:
		w.total.Queues++
		return w.line(kindQueue, r.Queue)
	case r.APIKey != nil:
		w.total.APIKeys++
		return w.line(kindAPIKey, r.APIKey)
	}
	w.total.Jobs++
	return w.line(kindJob, r.Job)
}

// Close writes the last line.
func (w *RecordWriter) Close() (ExportTrailer, error) {
	w.total.SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	return w.total, w.line(kindTrailer, w.total)
}

// line writes a line at once, so that none is half written where the process is stopped in between.
func (w *RecordWriter) line(kind string, record any) error {
	raw, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	w.lines++
	l := recordLine{Line: w.lines, Kind: kind, Record: raw}
	l.Sum = l.sum()
	var text bytes.Buffer
	text.Grow(len(raw) + 128)
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // what is escaped already stays so
	if err := e.Encode(l); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	w.hash.Write(text.Bytes())
	if _, err := w.w.Write(text.Bytes()); err != nil {
		return fmt.Errorf("export: line %d: %w", w.lines, err)
	}
	return nil
}

// Export writes all that a store keeps.
func Export(ctx context.Context, m Mover, w io.Writer, made time.Time, by string) (ExportTrailer, error) {
	rw, err := NewRecordWriter(w, made, by)
	if err == nil {
		err = m.Export(ctx, rw.Write)
	}
	if err != nil {
		return rw.total, err
	}
	return rw.Close()
}

// RecordReader reads an export. Its errors wrap [ErrInvalid] in a [LineError], but for those of the
// reader under it.
type RecordReader struct {
	r     *bufio.Reader
	most  int
	hash  hash.Hash
	lines int
	// Header is what the first line says.
	Header ExportHeader
	// Trailer is what the last line says; set once that has come.
	Trailer ExportTrailer
	total   ExportTrailer
	ended   bool
}

// NewRecordReader reads an export's first line. No line may be longer than most bytes.
func NewRecordReader(r io.Reader, most int) (*RecordReader, error) {
	rr := &RecordReader{r: bufio.NewReaderSize(r, 64<<10), most: most, hash: sha256.New()}
	l, err := rr.line()
	if err != nil {
		return nil, err
	}
	if l.Kind != kindHeader || json.Unmarshal(l.Record, &rr.Header) != nil || rr.Header.Format != ExportFormat {
		return nil, rr.fault("this is no export of Optimus")
	}
	if rr.Header.MinReader > ExportVersion {
		return nil, rr.fault("it was made by a newer Optimus, %.40q (it needs form %d, this binary knows %d)",
			rr.Header.By, rr.Header.MinReader, ExportVersion)
	}
	return rr, nil
}

// Next gives the next record, which may be an invalid one ([Record.Validate]), or [io.EOF] behind the
// last one of an export that is whole.
func (r *RecordReader) Next() (Record, error) {
	if r.ended {
		return Record{}, io.EOF
	}
	before := hex.EncodeToString(r.hash.Sum(nil))
	l, err := r.line()
	if err != nil {
		return Record{}, err
	}
	rec := Record{Line: r.lines}
	var into any
	switch l.Kind {
	case kindQueue:
		rec.Queue = &QueueRecord{}
		r.total.Queues++
		into = rec.Queue
	case kindJob:
		rec.Job = &JobRecord{}
		r.total.Jobs++
		into = rec.Job
	case kindAPIKey:
		rec.APIKey = &APIKey{}
		r.total.APIKeys++
		into = rec.APIKey
	case kindTrailer:
		return Record{}, r.end(l, before)
	default:
		return Record{}, r.fault("there is no record of the kind %.40q", l.Kind)
	}
	if err := json.Unmarshal(l.Record, into); err != nil {
		return Record{}, r.fault("%w", err)
	}
	return rec, nil
}

// end checks the last line, behind which there is nothing.
func (r *RecordReader) end(l *recordLine, before string) error {
	var trailer ExportTrailer
	if err := json.Unmarshal(l.Record, &trailer); err != nil {
		return r.fault("%w", err)
	}
	if want := (ExportTrailer{r.total.Queues, r.total.Jobs, r.total.APIKeys, before}); trailer != want {
		return r.fault("it says %+v of what was %+v", trailer, want)
	}
	if _, err := r.r.ReadByte(); err == nil {
		r.lines++
		return r.fault("it stands behind the last line")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the export: %w", err)
	}
	r.ended, r.Trailer = true, trailer
	return io.EOF
}

// line reads a line and checks it.
func (r *RecordReader) line() (*recordLine, error) {
	r.lines++
	var text []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if text = append(text, part...); len(text) > r.most {
			return nil, r.fault("it is longer than %d bytes", r.most)
		}
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return nil, r.fault("the export ends here, before its last line: it is not whole")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read the export: line %d: %w", r.lines, err)
		}
	}
	l := &recordLine{}
	switch err := json.Unmarshal(text, l); {
	case err != nil:
		return nil, r.fault("it is damaged: %w", err)
	case l.Line != r.lines:
		return nil, r.fault("it calls itself line %d: lines are missing, there twice or in another order", l.Line)
	case l.Sum != l.sum():
		return nil, r.fault("it is damaged: its checksum is %s, it says %.20q", l.sum(), l.Sum)
	}
	r.hash.Write(text)
	return l, nil
}

func (r *RecordReader) fault(format string, args ...any) error {
	return &LineError{Line: r.lines, Err: invalidf(format, args...)}
}

// Bounds of what an import does at once.
const (
	importRecords = 256
	importBytes   = 4 << 20
)

// Import adds what an export holds, in batches, each whole or not at all, and tells of each. What
// was added before an error stays; to import the same anew goes on from there.
func Import(ctx context.Context, m Mover, r *RecordReader, told func(Imported)) (Imported, error) {
	var sum Imported
	for ended := false; !ended; {
		var batch []Record
		var fault error
		for size := 0; len(batch) < importRecords && size < importBytes; {
			rec, err := r.Next()
			if ended = errors.Is(err, io.EOF); ended {
				break
			}
			if fault = err; fault != nil {
				break
			}
			batch = append(batch, rec)
			if rec.Job != nil {
				size += len(rec.Job.Submission) + len(rec.Job.Report)
			}
		}
		if len(batch) > 0 {
			done, err := m.Import(ctx, batch)
			if err != nil {
				return sum, err
			}
			sum.Add(done)
			told(sum)
		}
		if fault != nil {
			return sum, fault
		}
	}
	return sum, nil
}
