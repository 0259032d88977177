package fetcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"stoa/agent/executor/glog"
)

// Main is the process `mesos-fetcher`. It fetches what MESOS_FETCHER_INFO asks for, logs to its
// stderr in the original's words, and gives the exit status.
func Main(ctx context.Context, env []string) int {
	logger := glog.New(os.Stderr)
	if err := fetchAll(ctx, logger, env); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func fetchAll(ctx context.Context, logger *slog.Logger, env []string) error {
	encoded, ok := "", false
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, infoVariable+"="); found {
			encoded, ok = value, true
		}
	}
	if !ok {
		return errors.New("Missing MESOS_FETCHER_INFO environment variable")
	}
	logger.Info("Fetcher Info: " + encoded)
	var task info
	if err := json.Unmarshal([]byte(encoded), &task); err != nil {
		return fmt.Errorf("Failed to parse MESOS_FETCHER_INFO: %w", err)
	}
	if task.SandboxDirectory == "" {
		return errors.New("Missing sandbox directory")
	}
	// All writing goes through this root: whatever names or links an archive holds, the kernel
	// is never asked for a path outside.
	root, err := os.OpenRoot(task.SandboxDirectory)
	if err != nil {
		return fmt.Errorf("Failed to open the sandbox directory: %w", err)
	}
	defer root.Close()
	for _, item := range task.Items {
		place, err := fetch(ctx, logger, root, task, item)
		if err != nil {
			return fmt.Errorf("Failed to fetch '%s': %w", item.URI.Value, err)
		}
		logger.Info(fmt.Sprintf("Fetched '%s' to '%s'", item.URI.Value, filepath.Join(task.SandboxDirectory, place)))
	}
	logger.Info(fmt.Sprintf("Successfully fetched all URIs into '%s'", task.SandboxDirectory))
	return nil
}

// fetch brings one URI to a file of the sandbox and gives its name there.
func fetch(ctx context.Context, logger *slog.Logger, root *os.Root, task info, item item) (string, error) {
	uri := item.URI
	logger.Info(fmt.Sprintf("Fetching URI '%s'", uri.Value))
	logger.Info(fmt.Sprintf("Fetching '%s' directly into the sandbox directory", uri.Value))
	var name string
	if uri.OutputFile != nil {
		name = *uri.OutputFile
		if err := validateOutput(name); err != nil {
			return "", err
		}
		if dir := path.Dir(path.Clean(name)); dir != "." {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return "", fmt.Errorf("Unable to create subdirectory %s in sandbox: %w", dir, err)
			}
		}
	} else {
		base, err := basename(uri.Value)
		if err != nil {
			return "", err
		}
		name = base
	}
	if err := download(ctx, logger, root, task, strings.TrimLeft(uri.Value, " \t\r\n"), name); err != nil {
		return "", err
	}
	switch {
	case uri.Executable != nil && *uri.Executable:
		if err := root.Chmod(name, 0o755); err != nil {
			return "", fmt.Errorf("Failed to chmod executable '%s': %w", name, err)
		}
	case uri.Extract:
		extracted, err := extract(ctx, logger, root, name)
		if err != nil {
			return "", err
		}
		if !extracted {
			logger.Warn("Copying instead of extracting resource from URI with 'extract' flag, " +
				"because it does not seem to be an archive: " + uri.Value)
		}
	}
	return name, nil
}

// download copies what the URI names to the file name of the sandbox.
func download(ctx context.Context, logger *slog.Logger, root *os.Root, task info, uri, name string) error {
	source, local, err := localPath(uri, task.FrameworksHome)
	switch {
	case err != nil:
		return err
	case local:
		return copyFile(root, source, name)
	case strings.HasPrefix(uri, "http://"), strings.HasPrefix(uri, "https://"):
		logger.Info(fmt.Sprintf("Downloading resource from '%s' to '%s'", uri, filepath.Join(task.SandboxDirectory, name)))
		stall := time.Duration(task.StallTimeout.Nanoseconds)
		if err := downloadHTTP(ctx, root, uri, name, stall); err != nil {
			return fmt.Errorf("Error downloading resource%w", err)
		}
		return nil
	case strings.HasPrefix(uri, "ftp://"), strings.HasPrefix(uri, "ftps://"):
		return errors.New("Error downloading resource: ftp is not supported; serve the file over http or https")
	}
	logger.Info(fmt.Sprintf("Downloading resource with Hadoop client from '%s' to '%s'", uri, filepath.Join(task.SandboxDirectory, name)))
	return downloadHadoop(ctx, root, uri, name)
}

func copyFile(root *os.Root, source, name string) error {
	in, err := os.Open(source)
	if err != nil {
		return fmt.Errorf("Failed to copy '%s': %w", source, err)
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return fmt.Errorf("Failed to copy '%s': %w", source, err)
	}
	if !stat.Mode().IsRegular() {
		return fmt.Errorf("Failed to copy '%s': not a regular file", source)
	}
	// A source that lies at the destination already would be cut to nothing by opening it.
	if target, err := root.Stat(name); err == nil && os.SameFile(stat, target) {
		return nil
	}
	if err := write(root, name, stat.Mode().Perm(), in); err != nil {
		return fmt.Errorf("Failed to copy '%s': %w", source, err)
	}
	return nil
}

// write makes a file of the sandbox from a stream. An existing link of that name is replaced, not
// followed.
func write(root *os.Root, name string, mode fs.FileMode, r io.Reader) error {
	if stat, err := root.Lstat(name); err == nil && !stat.Mode().IsRegular() && !stat.IsDir() {
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode|0o200)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
