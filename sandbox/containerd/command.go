package containerd

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// ofImage tells whether a language's command, its placeholders not filled in, names a file of the
// image, such as python3, and not one of the program's own, such as ./{main}. Where the image lacks
// it, no program is to blame.
func ofImage(command []string) bool {
	if len(command) == 0 || strings.Contains(command[0], "{") {
		return false
	}
	if !strings.Contains(command[0], "/") {
		return true // looked for in PATH
	}
	return path.IsAbs(command[0]) && !strings.HasPrefix(path.Clean(command[0]), WorkDir+"/")
}

// lacks tells whether execve failed since the file, or the interpreter that it names, is not there
// or is none for this machine (execve(2)); what else it fails for, the program may have caused.
func lacks(errno syscall.Errno) bool {
	return slices.Contains([]syscall.Errno{
		unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.EISDIR, unix.ELOOP, unix.ENOEXEC, unix.ELIBBAD,
	}, errno)
}

// commandError says that an image lacks the command of a language.
type commandError struct {
	command string
	errno   syscall.Errno
}

func (e *commandError) Error() string {
	return fmt.Sprintf("cannot execute %s: %v", e.command, e.errno)
}

// commandMissing says of a commandError whose command it is and what mends it; other errors stay as
// they are.
func commandMissing(err error, lang sandbox.Language, step string) error {
	if _, ok := errors.AsType[*commandError](err); !ok {
		return err
	}
	return fmt.Errorf("language %s: its %s command is not in its image %s: %w: "+
		"state the right command or image in the catalogue, or get the image anew", lang.Name, step, lang.Image, err)
}
