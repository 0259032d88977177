package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// errStalled is the cause when a download made no progress for the stall timeout.
var errStalled = errors.New("the transfer stalled")

// downloadHTTP fetches a URL. Its errors begin with ", " or ": ", as they follow "Error downloading
// resource". Redirects are followed; the proxy settings of the environment count.
func downloadHTTP(ctx context.Context, root *os.Root, url, name string, stall time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var moved atomic.Bool
	if stall > 0 {
		go watchStall(ctx, cancel, stall, &moved)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf(": %w", cause(ctx, err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf(", received HTTP return code %d", response.StatusCode)
	}
	if err := write(root, name, 0o644, progress{response.Body, &moved}); err != nil {
		return fmt.Errorf(": %w", cause(ctx, err))
	}
	return nil
}

func cause(ctx context.Context, err error) error {
	if context.Cause(ctx) != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// watchStall cancels when nothing moved for a whole interval.
func watchStall(ctx context.Context, cancel context.CancelCauseFunc, stall time.Duration, moved *atomic.Bool) {
	ticker := time.NewTicker(stall)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if !moved.Swap(false) {
				cancel(errStalled)
				return
			}
		}
	}
}

// progress notes that bytes came.
type progress struct {
	r     io.Reader
	moved *atomic.Bool
}

func (p progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.moved.Store(true)
	}
	return n, err
}

// downloadHadoop hands every other scheme (hdfs, s3n, ...) to an installed Hadoop client, which
// knows what it is configured for. Its output goes to the sandbox's log.
func downloadHadoop(ctx context.Context, root *os.Root, uri, name string) error {
	program := "hadoop"
	if home := os.Getenv("HADOOP_HOME"); home != "" {
		program = filepath.Join(home, "bin", "hadoop")
	}
	if strings.HasPrefix(uri, "-") {
		return fmt.Errorf("Failed to create HDFS client: malformed URI %s", uri)
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("Failed to create HDFS client: Hadoop client is not available: %w", err)
	}
	if _, err := root.Lstat(name); err == nil {
		// The client refuses to overwrite.
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, program, "fs", "-copyToLocal", uri, filepath.Join(root.Name(), name))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("HDFS copyToLocal failed: %w", err)
	}
	return nil
}
