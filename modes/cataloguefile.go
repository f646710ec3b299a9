package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"optimus/config"
	"optimus/web"
)

// catalogueName is the name of the catalogue's file in the data folder.
const catalogueName = "languages.json"

// editCatalogue changes this installation's languages.json: the one that the settings name, else that in
// the data folder, which is made of the languages in the binary where there is none. What is wrong
// afterwards, or does not fit the settings' limits, changes nothing. It gives the file's path.
func editCatalogue(cfg config.Config, change func(*config.Catalogue) error) (path string, err error) {
	path = cfg.Catalogue
	if path == "" {
		path = filepath.Join(cfg.Data, catalogueName)
		if err := makeDataFolder(cfg); err != nil {
			return path, readOnly(path, err)
		}
	}
	// What is replaced is the file itself, not a link to it.
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return path, readOnly(path, err)
	}
	defer unlock()
	all, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return path, err
	}
	if err := change(&all); err != nil {
		return path, err
	}
	err = cfg.Limits.CheckCatalogue(all)
	if err == nil {
		err = all.Save(path)
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return path, &web.InvalidLanguagesError{Reason: err.Error()}
	}
	return path, readOnly(path, err)
}

// lockFolder keeps other processes that change a file of the folder waiting.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the catalogue's folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the catalogue's folder: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// readOnly tells the errors of a file that cannot be replaced from others. A file that is mounted by
// itself, as by Kubernetes's subPath, is busy.
func readOnly(path string, err error) error {
	for _, e := range []error{syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.EBUSY} {
		if errors.Is(err, e) {
			return &web.ReadOnlyError{Reason: fmt.Sprintf("%s cannot be written here: %v. Nothing was changed; change it where it comes from. On Kubernetes "+
				"that is a ConfigMap, which all servers and workers share: change your languages.json, and apply what `optimus admin render kubernetes` "+
				"then gives. Elsewhere as a user who may write it, then send SIGHUP", path, e)}
		}
	}
	return err
}

// parseLanguages reads one language, or several as {"languages": […]}; source names them in messages.
func parseLanguages(source string, content []byte) ([]config.Language, error) {
	var top map[string]json.RawMessage
	if json.Unmarshal(content, &top) == nil && top["languages"] == nil {
		// The brackets stand on its first line, so that faults keep their lines.
		content = slices.Concat([]byte(`{"languages":[`), bytes.TrimSpace(content), []byte("]}"))
	}
	all, err := config.ParseCatalogue(source, content)
	return all.Languages, err
}

// addLanguages puts languages into a catalogue, each in the place of one of its name and version.
func addLanguages(all *config.Catalogue, added []config.Language) {
	for _, l := range added {
		same := func(old config.Language) bool { return old.Name == l.Name && old.Version == l.Version }
		if i := slices.IndexFunc(all.Languages, same); i >= 0 {
			all.Languages[i] = l
		} else {
			all.Languages = append(all.Languages, l)
		}
	}
}

// removeLanguage takes a language out of a catalogue, of all versions where version is empty.
func removeLanguage(all *config.Catalogue, name, version string) ([]web.LanguageVersion, error) {
	var removed []web.LanguageVersion
	kept := slices.DeleteFunc(slices.Clone(all.Languages), func(l config.Language) bool {
		gone := l.Name == name && (version == "" || l.Version == version)
		if gone {
			removed = append(removed, web.LanguageVersion{Name: l.Name, Version: l.Version})
		}
		return gone
	})
	switch {
	case removed == nil:
		return nil, unknownInFile(all, name, version)
	case len(kept) == 0:
		return nil, &web.InvalidLanguagesError{Reason: "without " + name + " the catalogue would be empty: add another language first"}
	}
	all.Languages = kept
	return removed, nil
}

func unknownInFile(all *config.Catalogue, name, version string) error {
	c := newCatalogue(*all, nil)
	e, err := c.find(name, version)
	if err == nil && e.config.Name != name {
		return &unknownLanguageError{Name: name, Near: e.config.Name}
	}
	if err == nil { // a version that is only the beginning of one
		err = &unknownLanguageError{Name: name, Version: version, Versions: []string{e.config.Version}}
	}
	return err
}

func versionsOf(languages []config.Language) []web.LanguageVersion {
	list := make([]web.LanguageVersion, len(languages))
	for i, l := range languages {
		list[i] = web.LanguageVersion{Name: l.Name, Version: l.Version}
	}
	return list
}

// editor changes a running server's catalogue: its file, which it then reads anew as after SIGHUP.
type editor struct {
	mu sync.Mutex
	// settings reads the configuration anew.
	settings func() (config.Config, error)
	// reload takes over what the files say.
	reload func() error
}

// Add implements [web.CatalogueEditor].
func (e *editor) Add(ctx context.Context, content []byte) (done web.ChangedLanguages, err error) {
	added, err := parseLanguages("the request", content)
	if err != nil {
		return done, &web.InvalidLanguagesError{Reason: err.Error()}
	}
	done.Languages = versionsOf(added)
	done.Note, err = e.change(ctx, func(all *config.Catalogue) error {
		addLanguages(all, added)
		return nil
	})
	return done, err
}

// Remove implements [web.CatalogueEditor].
func (e *editor) Remove(ctx context.Context, name, version string) (done web.ChangedLanguages, err error) {
	done.Note, err = e.change(ctx, func(all *config.Catalogue) (err error) {
		done.Languages, err = removeLanguage(all, name, version)
		return err
	})
	return done, err
}

// change gives a note for where the change does not hold.
func (e *editor) change(ctx context.Context, change func(*config.Catalogue) error) (note string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err // the client went away while it waited for its turn
	}
	cfg, err := e.settings()
	if err != nil {
		return "", &web.ReadOnlyError{Reason: "nothing was changed, since the server could not take it over: " + err.Error()}
	}
	path, err := editCatalogue(cfg, change)
	if err != nil {
		return "", err
	}
	if cfg.Redis.Present() {
		note = path + " was changed, which is this server's: another server or worker of the queue with a file of its own keeps that. " +
			"Make the same change there, and send it SIGHUP"
	}
	return note, e.reload()
}
