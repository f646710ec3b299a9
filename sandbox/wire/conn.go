package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Bounds of a frame.
const (
	// MaxPayload is the longest payload in bytes; longer content goes in pieces.
	MaxPayload = 1 << 20
	// MaxFiles is how many descriptors may come with a frame.
	MaxFiles = 8
	// Piece is the size in which content is cut.
	Piece = 256 << 10

	headerBytes = 11
)

// ErrProtocol is wrapped by every error that a peer caused by sending what it must not.
var ErrProtocol = errors.New("protocol violation")

// Frame is one message.
type Frame struct {
	Kind    Kind
	ID      uint32
	Stream  byte
	Payload []byte
	// Files are descriptors that came with the frame; the receiver owns them.
	Files []*os.File
}

// Conn sends and receives frames. One goroutine may read while others send.
type Conn struct {
	rwc    io.ReadWriteCloser
	reader *bufio.Reader
	files  *fileReader // nil where the transport carries no descriptors

	mu  sync.Mutex
	out []byte // of the frame being sent, kept for the next
}

// New makes the host's end of a conversation over any stream. Descriptors can be sent only over
// a unix socket, and none is taken from the agent: one that comes is a protocol violation.
func New(rwc io.ReadWriteCloser) *Conn { return newConn(rwc, 0) }

// NewAgent makes the agent's end, which takes descriptors.
func NewAgent(rwc io.ReadWriteCloser) *Conn { return newConn(rwc, 4*MaxFiles) }

func newConn(rwc io.ReadWriteCloser, maxQueue int) *Conn {
	c := &Conn{rwc: rwc}
	if u, ok := rwc.(*net.UnixConn); ok {
		c.files = &fileReader{conn: u, max: maxQueue}
		c.reader = bufio.NewReaderSize(c.files, 64<<10)
	} else {
		c.reader = bufio.NewReaderSize(rwc, 64<<10)
	}
	return c
}

// PassesFiles tells whether frames may carry descriptors.
func (c *Conn) PassesFiles() bool { return c.files != nil }

// Close closes the stream; a Read under way fails.
func (c *Conn) Close() error {
	if err := c.rwc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

// Send writes a frame, whole, whoever else sends.
func (c *Conn) Send(f Frame) error {
	if len(f.Payload) > MaxPayload {
		return fmt.Errorf("send frame of kind %d: %d bytes, at most %d", f.Kind, len(f.Payload), MaxPayload)
	}
	if len(f.Files) > MaxFiles || (len(f.Files) > 0 && c.files == nil) {
		return fmt.Errorf("send frame of kind %d: %d descriptors cannot be passed", f.Kind, len(f.Files))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := binary.LittleEndian.AppendUint32(c.out[:0], uint32(len(f.Payload))) //nolint:gosec // at most MaxPayload
	b = append(b, byte(f.Kind))
	b = binary.LittleEndian.AppendUint32(b, f.ID)
	b = append(b, byte(len(f.Files)), f.Stream) //nolint:gosec // at most MaxFiles
	b = append(b, f.Payload...)
	c.out = b
	if cap(c.out) > 2*Piece {
		c.out = nil
	}
	return c.write(b, f.Files)
}

func (c *Conn) write(b []byte, files []*os.File) error {
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		n, _, err := c.files.conn.WriteMsgUnix(b, syscall.UnixRights(fds...), nil)
		if err != nil {
			return fmt.Errorf("send frame with descriptors: %w", err)
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := c.rwc.Write(b); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// SendJSON sends v as the payload of a frame.
func (c *Conn) SendJSON(kind Kind, id uint32, v any, files ...*os.File) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame of kind %d: %w", kind, err)
	}
	return c.Send(Frame{Kind: kind, ID: id, Payload: b, Files: files})
}

// Read gives the next frame, whose payload is its own. At the stream's end the error is io.EOF.
func (c *Conn) Read() (Frame, error) {
	var h [headerBytes]byte
	if _, err := io.ReadFull(c.reader, h[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return Frame{}, io.EOF
		}
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	n := binary.LittleEndian.Uint32(h[:4])
	f := Frame{Kind: Kind(h[4]), ID: binary.LittleEndian.Uint32(h[5:9]), Stream: h[10]}
	if n > MaxPayload {
		return Frame{}, fmt.Errorf("%w: a payload of %d bytes, at most %d", ErrProtocol, n, MaxPayload)
	}
	if n > 0 {
		f.Payload = make([]byte, n)
		if _, err := io.ReadFull(c.reader, f.Payload); err != nil {
			return Frame{}, fmt.Errorf("read payload of %d bytes: %w", n, err)
		}
	}
	if want := int(h[9]); want > 0 {
		files, err := c.files.take(want)
		if err != nil {
			return Frame{}, err
		}
		f.Files = files
	}
	return f, nil
}

// JSON decodes the frame's payload into v.
func (f Frame) JSON(v any) error {
	if err := json.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("%w: payload of kind %d: %w", ErrProtocol, f.Kind, err)
	}
	return nil
}

// CloseFiles closes the descriptors that came with the frame.
func (f Frame) CloseFiles() {
	for _, file := range f.Files {
		_ = file.Close()
	}
}

// fileReader reads a unix socket and queues the descriptors that arrive; they arrive no later
// than the first byte of their frame.
type fileReader struct {
	conn  *net.UnixConn
	queue []*os.File
	max   int
}

func (r *fileReader) Read(p []byte) (int, error) {
	oob := make([]byte, syscall.CmsgSpace(MaxFiles*4))
	n, oobn, flags, _, err := r.conn.ReadMsgUnix(p, oob)
	if oobn > 0 {
		if e := r.receive(oob[:oobn]); e != nil {
			return n, e
		}
	}
	if flags&syscall.MSG_CTRUNC != 0 {
		return n, fmt.Errorf("%w: more than %d descriptors at once", ErrProtocol, MaxFiles)
	}
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}

func (r *fileReader) receive(oob []byte) error {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("%w: control message: %w", ErrProtocol, err)
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue // no descriptors in it
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			r.queue = append(r.queue, os.NewFile(uintptr(fd), "passed"))
		}
	}
	if len(r.queue) > r.max {
		for _, f := range r.queue {
			_ = f.Close()
		}
		r.queue = nil
		return fmt.Errorf("%w: descriptors that no frame announced", ErrProtocol)
	}
	return nil
}

func (r *fileReader) take(n int) ([]*os.File, error) {
	if r == nil || n > len(r.queue) {
		return nil, fmt.Errorf("%w: a frame announces %d descriptors that did not come", ErrProtocol, n)
	}
	files := r.queue[:n:n]
	r.queue = r.queue[n:]
	return files, nil
}
