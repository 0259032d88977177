package master

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"stoa/master/core"
)

const (
	// whitelistInterval is the time between two looks at the whitelist (the original's
	// WHITELIST_WATCH_INTERVAL).
	whitelistInterval = 5 * time.Second
	// maxWhitelist is the most that is read of it, in bytes.
	maxWhitelist = 64 << 20
)

// whitelist is a file with the host names of the agents that may be offered, one a
// line. An empty file means none.
type whitelist struct {
	path string
	log  *slog.Logger
	// names are those of the last look; known says that there was one.
	names []string
	known bool
}

// look reads the file. It returns the event to deliver, nil if nothing changed. As long
// as the file cannot be read, what it said last stays; before that every agent is
// offered.
func (w *whitelist) look() core.Event {
	text, err := w.read()
	if err != nil {
		w.log.Error("cannot read the whitelist, trying again", "path", w.path, "error", err)
		return nil
	}
	names := []string{}
	for line := range strings.Lines(text) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if w.known && slices.Equal(w.names, names) {
		return nil
	}
	w.log.Info("whitelist read", "path", w.path, "hostnames", len(names))
	w.names, w.known = names, true
	return core.SetWhitelist{Hostnames: names}
}

func (w *whitelist) read() (string, error) {
	f, err := os.Open(w.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxWhitelist))
	return string(data), err
}

// watch looks at the file again and again until ctx ends.
func (w *whitelist) watch(ctx context.Context, deliver func(core.Event)) {
	ticker := time.NewTicker(whitelistInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if e := w.look(); e != nil {
				deliver(e)
			}
		case <-ctx.Done():
			return
		}
	}
}
