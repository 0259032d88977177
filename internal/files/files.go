// Package files shows chosen files and directories of a daemon's machine over HTTP:
// its log, and the sandboxes of tasks.
//
// Comes in: real paths with the virtual paths under which they are shown, and requests.
// Goes out: listings and content, in the formats of the original
// (src/files/files.cpp). It never shows anything outside what was attached,
// whatever links a task puts into its sandbox, and never waits for a pipe or device.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MaxRead is the most bytes that one read returns: 16 pages.
var MaxRead = 16 * os.Getpagesize()

// Kind tells the reasons of an Error apart.
type Kind int

// Kinds of errors.
const (
	// Invalid requests can never work (400).
	Invalid Kind = iota
	// NotFound means nothing is shown under the path (404, without a text).
	NotFound
	// Failed means that the machine could not do it (500).
	Failed
)

// Error is why something cannot be shown, in the original's words.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string {
	if e.Kind == NotFound {
		return "no such file or directory"
	}
	return e.Text
}

// Info describes one entry of a directory.
type Info struct {
	// Path is the virtual path of the entry.
	Path string
	// Links is the number of hard links.
	Links uint64
	Size  int64
	// Mode has type and permission bits as in stat(2).
	Mode  uint32
	MTime time.Time
	// User and Group are names, or numbers where there is no name.
	User, Group string
}

// Files knows what is shown. Its methods may be called from any goroutine.
type Files struct {
	mutex sync.RWMutex
	paths map[string]attachment
	debug func(principal string) bool
}

// attachment is a real path and who may see what is there; a nil allow is everybody.
type attachment struct {
	real  string
	allow func(principal string) bool
}

// New shows nothing yet.
func New() *Files { return &Files{paths: map[string]attachment{}} }

// Attach shows the file or directory real under the path virtual. Links on the way to
// real are followed now; it must exist and be readable.
func (f *Files) Attach(real, virtual string) error { return f.AttachFor(real, virtual, nil) }

// AttachFor is Attach for the eyes of some: allow is asked for each request whether its
// principal (empty for nobody) may see what is there.
func (f *Files) AttachFor(real, virtual string, allow func(principal string) bool) error {
	resolved, err := filepath.EvalSymlinks(real)
	if err != nil {
		return fmt.Errorf("Failed to get realpath of '%s': %s", real, reason(err))
	}
	if err := syscall.Access(resolved, 4); err != nil {
		return fmt.Errorf("Failed to access '%s': Access denied", real)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.paths[strings.TrimSuffix(virtual, "/")] = attachment{resolved, allow}
	return nil
}

// Detach stops showing virtual.
func (f *Files) Detach(virtual string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.paths, strings.TrimSuffix(virtual, "/"))
}

// Attached is what is shown: virtual path to real path.
func (f *Files) Attached() map[string]string {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	all := make(map[string]string, len(f.paths))
	for virtual, a := range f.paths {
		all[virtual] = a.real
	}
	return all
}

// AllowDebug says who may see what is attached, which tells about every sandbox; nil is
// everybody.
func (f *Files) AllowDebug(allow func(principal string) bool) { f.debug = allow }

// Allowed says whether a principal may see what is under a virtual path. What is not
// attached may be asked for by everybody.
func (f *Files) Allowed(virtual, principal string) bool {
	_, a, _, found := f.find(virtual)
	return !found || a.allow == nil || a.allow(principal)
}

// find looks for the longest attached prefix of a virtual path; the first n tokens
// are it.
func (f *Files) find(virtual string) (tokens []string, a attachment, n int, found bool) {
	tokens = strings.Split(strings.TrimSuffix(virtual, "/"), "/")
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	for n = len(tokens); n > 0; n-- {
		if a, found = f.paths[strings.Join(tokens[:n], "/")]; found {
			break
		}
	}
	return tokens, a, n, found
}

// target is something that may be shown: name, free of links and "..", below the
// attached directory root; or the attached file root if name is empty.
type target struct{ root, name string }

func (t target) path() string { return filepath.Join(t.root, t.name) }

// resolve finds what a virtual path means: the longest attached prefix counts.
func (f *Files) resolve(virtual string) (target, *Error) {
	tokens, a, n, found := f.find(virtual)
	if !found {
		return target{}, &Error{Kind: NotFound}
	}
	root, suffix := a.real, strings.Join(tokens[n:], "/")
	info, err := os.Stat(root)
	if err != nil {
		return target{}, &Error{Kind: NotFound}
	}
	if !info.IsDir() {
		if suffix != "" {
			return target{}, &Error{Kind: NotFound}
		}
		return target{root: root}, nil
	}
	shown := root + "/" + suffix
	real, err := filepath.EvalSymlinks(shown)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return target{}, &Error{Kind: NotFound}
	case err != nil:
		return target{}, &Error{Invalid, fmt.Sprintf("Failed to determine canonical path of '%s': %s", shown, reason(err))}
	case real != root && !strings.HasPrefix(real, root+"/"):
		return target{}, &Error{Invalid, fmt.Sprintf("'%s' is inaccessible", shown)}
	}
	name, err := filepath.Rel(root, real)
	if err != nil {
		return target{}, &Error{Kind: NotFound}
	}
	return target{root: root, name: name}, nil
}

// open opens what resolve found. A link that a task puts there in between cannot lead
// out of the root, and a pipe or device does not block.
func (t target) open() (*os.File, error) {
	if t.name == "" {
		return os.OpenFile(t.root, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	root, err := os.OpenRoot(t.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(t.name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// List returns the entries of a directory, by path; those of a file are none.
func (f *Files) List(virtual string) ([]Info, error) {
	t, problem := f.resolve(virtual)
	if problem != nil {
		return nil, problem
	}
	dir, err := t.open()
	if err != nil {
		return nil, nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, nil
	}
	sort.Strings(names)
	list := make([]Info, 0, len(names))
	accounts := accountNames{}
	for _, name := range names {
		var s syscall.Stat_t
		if syscall.Stat(filepath.Join(t.path(), name), &s) != nil {
			continue
		}
		list = append(list, Info{
			Path:  strings.TrimSuffix(virtual, "/") + "/" + name,
			Links: uint64(s.Nlink), Size: s.Size, Mode: s.Mode, MTime: time.Unix(s.Mtim.Unix()),
			User: accounts.user(s.Uid), Group: accounts.group(s.Gid),
		})
	}
	return list, nil
}

// accountNames remembers account names within one listing.
type accountNames map[string]string

func (n accountNames) user(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	return n.lookup("u"+text, text, func() (string, error) {
		u, err := user.LookupId(text)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (n accountNames) group(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	return n.lookup("g"+text, text, func() (string, error) {
		g, err := user.LookupGroupId(text)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

func (n accountNames) lookup(key, text string, find func() (string, error)) string {
	if name, ok := n[key]; ok {
		return name
	}
	name, err := find()
	if err != nil {
		name = text
	}
	n[key] = name
	return name
}

// Read returns up to length bytes (at most MaxRead; a negative length means as much as
// possible) from offset on, and the size of the file.
func (f *Files) Read(virtual string, offset uint64, length int64) (size int64, data []byte, err error) {
	file, size, err := f.openFile(virtual, "read")
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	if offset >= uint64(size) || length == 0 {
		return size, nil, nil
	}
	if length < 0 || length > int64(MaxRead) {
		length = int64(MaxRead)
	}
	length = min(length, size-int64(offset))
	data = make([]byte, length)
	n, err := file.ReadAt(data, int64(offset))
	if err != nil && err != io.EOF {
		return 0, nil, &Error{Failed, fmt.Sprintf("Failed to read file at '%s': %s", file.Name(), reason(err))}
	}
	return size, data[:n], nil
}

// Open opens a whole file, for download. The caller closes it.
func (f *Files) Open(virtual string) (*os.File, int64, error) {
	return f.openFile(virtual, "download")
}

// openFile opens a regular file; verb is what the caller wants to do with it.
func (f *Files) openFile(virtual, verb string) (*os.File, int64, error) {
	t, problem := f.resolve(virtual)
	if problem != nil {
		return nil, 0, problem
	}
	file, err := t.open()
	if err != nil {
		return nil, 0, &Error{Failed, fmt.Sprintf("Failed to open file at '%s': %s", t.path(), reason(err))}
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		file.Close()
		return nil, 0, &Error{Failed, fmt.Sprintf("Failed to open file at '%s': %s", t.path(), reason(err))}
	case info.IsDir():
		file.Close()
		return nil, 0, &Error{Invalid, "Cannot " + verb + " a directory"}
	case !info.Mode().IsRegular():
		file.Close()
		return nil, 0, &Error{Failed, fmt.Sprintf("Failed to open file at '%s': Illegal seek", t.path())}
	}
	return file, info.Size(), nil
}

// reason is the bare text of a system error, capital first, as strerror gives it.
func reason(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	text := number.Error()
	if text != "" && 'a' <= text[0] && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text
}
