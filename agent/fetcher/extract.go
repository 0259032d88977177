package fetcher

import (
	"archive/tar"
	"archive/zip"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// extract unpacks an archive of the sandbox into the sandbox, by its name. It tells false for a
// name that is no archive's.
func extract(ctx context.Context, logger *slog.Logger, root *os.Root, name string) (bool, error) {
	var unpack func(context.Context, *os.Root, *os.File) error
	has := func(suffixes ...string) bool {
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix) {
				return true
			}
		}
		return false
	}
	switch {
	case has(".tar"):
		unpack = func(_ context.Context, root *os.Root, f *os.File) error { return untar(root, f) }
	case has(".tgz", ".tar.gz"):
		unpack = untarGzip
	case has(".tbz2", ".tar.bz2"):
		unpack = func(_ context.Context, root *os.Root, f *os.File) error { return untar(root, bzip2.NewReader(f)) }
	case has(".txz", ".tar.xz"):
		unpack = untarXz
	case has(".zip"):
		unpack = func(_ context.Context, root *os.Root, f *os.File) error { return unzip(root, f) }
	case has(".gz"):
		unpack = func(_ context.Context, root *os.Root, f *os.File) error {
			return gunzip(root, f, path.Base(strings.TrimSuffix(name, ".gz")))
		}
	default:
		return false, nil
	}
	source := filepath.Join(root.Name(), name)
	f, err := root.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := unpack(ctx, root, f); err != nil {
		return false, fmt.Errorf("Failed to extract archive '%s' to '%s': %w", source, root.Name(), err)
	}
	logger.Info(fmt.Sprintf("Extracted '%s' into '%s'", source, root.Name()))
	return true, nil
}

func untarGzip(_ context.Context, root *os.Root, f *os.File) error {
	r, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	defer r.Close()
	return untar(root, r)
}

func gunzip(root *os.Root, f *os.File, name string) error {
	r, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	defer r.Close()
	return write(root, name, 0o644, r)
}

// untarXz needs the xz program: there is no such reader among our libraries.
func untarXz(ctx context.Context, root *os.Root, f *os.File) error {
	cmd := exec.CommandContext(ctx, "xz", "-d", "-c")
	cmd.Stdin, cmd.Stderr = f, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("install xz-utils to extract .tar.xz archives: %w", err)
	}
	failure := untar(root, out)
	if failure != nil {
		_ = cmd.Process.Kill()
	} else {
		// Padding after the archive's end: let xz finish.
		_, failure = io.Copy(io.Discard, out)
	}
	if err := cmd.Wait(); failure == nil && err != nil {
		failure = fmt.Errorf("xz: %w", err)
	}
	return failure
}

// local cleans the name of an archive's member. Names that would leave the sandbox are an error.
func local(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if !filepath.IsLocal(clean) {
		return "", fmt.Errorf("member '%s' lies outside the archive", name)
	}
	return clean, nil
}

func untar(root *os.Root, r io.Reader) error {
	archive := tar.NewReader(r)
	// Directories get their mode last, so that a read-only one can be filled.
	modes := make(map[string]fs.FileMode)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		name, err := local(header.Name)
		if err != nil {
			return err
		}
		mode := header.FileInfo().Mode().Perm()
		if dir := path.Dir(name); dir != "." {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		switch header.Typeflag {
		case tar.TypeDir:
			if err := root.MkdirAll(name, 0o755); err != nil {
				return err
			}
			modes[name] = mode
		case tar.TypeReg:
			if err := write(root, name, mode, archive); err != nil {
				return err
			}
			if err := root.Chmod(name, mode); err != nil {
				return err
			}
		case tar.TypeSymlink:
			if err := symlink(root, header.Linkname, name); err != nil {
				return err
			}
		case tar.TypeLink:
			target, err := local(header.Linkname)
			if err != nil {
				return err
			}
			if err := replace(root, name); err != nil {
				return err
			}
			if err := root.Link(target, name); err != nil {
				return err
			}
		case tar.TypeXGlobalHeader:
		default:
			return fmt.Errorf("member '%s' is a device or of another kind that is not extracted", header.Name)
		}
	}
	for name, mode := range modes {
		if name != "." {
			if err := root.Chmod(name, mode); err != nil {
				return err
			}
		}
	}
	return nil
}

func unzip(root *os.Root, f *os.File) error {
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, stat.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return err
	}
	for _, member := range archive.File {
		if err := unzipMember(root, member); err != nil {
			return err
		}
	}
	return nil
}

// maxLinkTarget is PATH_MAX.
const maxLinkTarget = 4096

func unzipMember(root *os.Root, member *zip.File) error {
	name, err := local(strings.ReplaceAll(member.Name, "\\", "/"))
	if err != nil {
		return err
	}
	if strings.HasSuffix(member.Name, "/") || member.Mode().IsDir() {
		return root.MkdirAll(name, 0o755)
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	r, err := member.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if member.Mode()&fs.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(r, maxLinkTarget))
		if err != nil {
			return err
		}
		return symlink(root, string(target), name)
	}
	mode := member.Mode().Perm()
	if mode == 0 {
		// Made on a system without permission bits.
		mode = 0o644
	}
	if err := write(root, name, mode, r); err != nil {
		return err
	}
	return root.Chmod(name, mode)
}

// symlink makes a link. Its target may be anywhere: nothing here follows it out of the root.
func symlink(root *os.Root, target, name string) error {
	if err := replace(root, name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}

// replace removes what is no directory, so that a link can take its place.
func replace(root *os.Root, name string) error {
	stat, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if stat.IsDir() {
		return fmt.Errorf("'%s' is a directory already", name)
	}
	return root.Remove(name)
}
