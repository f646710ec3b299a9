package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// stream is one end of a conversation that was recorded, and a sink for answers.
type stream struct {
	io.Reader
	bytes.Buffer
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }
func (s *stream) Close() error               { return nil }

func socketPair(t *testing.T) (host, agent *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { _ = c.Close() })
	}
	return ends[0], ends[1]
}

func TestFramesArriveAsSent(t *testing.T) {
	t.Parallel()
	a, b := socketPair(t)
	host, agent := New(a), NewAgent(b)
	sent := []Frame{
		{Kind: KindHello, Payload: []byte(`{"slots":2}`)},
		{Kind: KindOutput, ID: 7, Stream: 2, Payload: bytes.Repeat([]byte{0, 0xff}, Piece)},
		{Kind: KindIdle, ID: 1<<32 - 1},
	}
	go func() {
		for _, f := range sent {
			if err := host.Send(f); err != nil {
				t.Error(err)
			}
		}
		_ = host.Close()
	}()
	for _, want := range sent {
		got, err := agent.Read()
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != want.Kind || got.ID != want.ID || got.Stream != want.Stream || !bytes.Equal(got.Payload, want.Payload) {
			t.Errorf("sent kind %d id %d, %d bytes; got kind %d id %d, %d bytes",
				want.Kind, want.ID, len(want.Payload), got.Kind, got.ID, len(got.Payload))
		}
	}
	if _, err := agent.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v, want EOF", err)
	}
}

// Descriptors must stay with their frame, however the kernel cuts the stream.
func TestDescriptorsStayWithTheirFrame(t *testing.T) {
	t.Parallel()
	a, b := socketPair(t)
	host, agent := New(a), NewAgent(b)
	const rounds = 50
	go func() {
		for i := range rounds {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = f.WriteAt([]byte{byte(i)}, 0)
			_ = host.Send(Frame{Kind: KindStdin, ID: uint32(i), Payload: bytes.Repeat([]byte{1}, 3000)})
			if err := host.Send(Frame{Kind: KindStart, ID: uint32(i), Files: []*os.File{f}}); err != nil {
				t.Error(err)
			}
			_ = f.Close()
		}
	}()
	for i := range rounds {
		if f, err := agent.Read(); err != nil || len(f.Files) != 0 {
			t.Fatalf("round %d: %v, %d descriptors with the frame before", i, err, len(f.Files))
		}
		f, err := agent.Read()
		if err != nil || len(f.Files) != 1 {
			t.Fatalf("round %d: %v, %d descriptors", i, err, len(f.Files))
		}
		var got [1]byte
		if _, err := f.Files[0].ReadAt(got[:], 0); err != nil || got[0] != byte(i) {
			t.Errorf("round %d: file holds %d, %v", i, got[0], err)
		}
		f.CloseFiles()
	}
}

func TestHostTakesNoDescriptors(t *testing.T) {
	t.Parallel()
	a, b := socketPair(t)
	host, agent := New(a), NewAgent(b)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := agent.Send(Frame{Kind: KindExit, Files: []*os.File{f}}); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Read(); !errors.Is(err, ErrProtocol) {
		t.Errorf("host read a frame with a descriptor: %v, want a protocol violation", err)
	}
}

func TestHostilePeers(t *testing.T) {
	t.Parallel()
	header := func(length uint32, files byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, length)
		return append(b, byte(KindExit), 1, 0, 0, 0, files, 0)
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"payload too large":           {header(MaxPayload+1, 0), ErrProtocol},
		"length of 4 GiB":             {header(1<<32-1, 0), ErrProtocol},
		"descriptors that never came": {header(0, 3), ErrProtocol},
		"cut in the payload":          {append(header(10, 0), 'x'), io.ErrUnexpectedEOF},
		"cut in the header":           {header(0, 0)[:4], io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(&stream{Reader: bytes.NewReader(c.in)}).Read()
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestSendRefusesWhatReadWouldRefuse(t *testing.T) {
	t.Parallel()
	c := New(&stream{Reader: bytes.NewReader(nil)})
	if err := c.Send(Frame{Kind: KindStdin, Payload: make([]byte, MaxPayload+1)}); err == nil {
		t.Error("a payload over the limit was sent")
	}
	if err := c.Send(Frame{Kind: KindStart, Files: []*os.File{os.Stdin}}); err == nil {
		t.Error("a descriptor was sent over a stream that passes none")
	}
}

// Whatever a peer sends, Read gives frames within bounds or an error, and never reads on after one.
func FuzzRead(f *testing.F) {
	valid := &stream{}
	_ = New(valid).Send(Frame{Kind: KindOutput, ID: 3, Stream: 1, Payload: []byte("hi")})
	f.Add(valid.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 9, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		c := New(&stream{Reader: bytes.NewReader(in)})
		for {
			frame, err := c.Read()
			if err != nil {
				return
			}
			if len(frame.Payload) > MaxPayload || len(frame.Files) != 0 {
				t.Fatalf("frame out of bounds: %d bytes, %d descriptors", len(frame.Payload), len(frame.Files))
			}
			var exit Exit
			_ = frame.JSON(&exit)
		}
	})
}
