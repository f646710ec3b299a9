package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pageFiles is the page, as `make ui` has built it; NOTICE has the licences of what it is made of.
//
//go:embed ui/dist/index.html ui/dist/ui
var pageFiles embed.FS

// pagePolicy lets the page load its own scripts, styles and icon, and ask this server. That scripts
// may be made of no text holds even where the page has a fault: a program's output stays text.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// assetsPath is below which the page's files are; each has a hash of its content in its name.
const assetsPath = "/ui/assets/"

// routePage serves the page at the root, and what it is made of. All of it is public: what it shows
// it asks of routes that need a key.
func (s *Server) routePage() {
	files := sync.OnceValue(readPage) // once it is asked for: packing takes some milliseconds
	s.get("/", rolePublic, func(w http.ResponseWriter, r *http.Request) {
		servePageFile(w, r, files()["index.html"], "no-cache")
	})
	s.get(assetsPath+":file", rolePublic, func(w http.ResponseWriter, r *http.Request) {
		servePageFile(w, r, files()[strings.TrimPrefix(r.URL.Path, "/")], "public, max-age=31536000, immutable")
	})
}

func servePageFile(w http.ResponseWriter, r *http.Request, f *pageFile, caching string) {
	if f == nil {
		p := newProblem(codeNotFound, "the page has no such file; load it anew")
		writeJSON(w, p.Status, p.ContentType(""), p)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.plain))
		return
	}
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", strconv.Itoa(len(f.packed)))
	_, _ = w.Write(f.packed)
}

// acceptsGzip tells whether a client takes gzip; one that says how much it wants it is sent none.
func acceptsGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.EqualFold(strings.TrimSpace(one), "gzip") {
			return true
		}
	}
	return false
}

// pageFile is a file of the page, as it is and packed by gzip.
type pageFile struct {
	contentType   string
	plain, packed []byte
}

// readPage gives the page's files by path.
func readPage() map[string]*pageFile {
	files := map[string]*pageFile{}
	root, err := fs.Sub(pageFiles, "ui/dist")
	if err == nil {
		err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(root, name)
			if err != nil {
				return fmt.Errorf("read the page: %w", err)
			}
			packed, err := packPage(data)
			files[name] = &pageFile{contentType: pageType(name), plain: data, packed: packed}
			return err
		})
	}
	if err != nil {
		panic(err) // files in this binary cannot fail to be read
	}
	return files
}

// pageType gives a file's media type, the same on every machine.
func pageType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

func packPage(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = io.Copy(w, bytes.NewReader(data))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack the page: %w", err)
	}
	return b.Bytes(), nil
}
