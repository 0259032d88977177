package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// MakeSandbox makes the run's sandbox for the account name (empty: the agent's
// own), readable by nobody else, and makes "latest" point to it. The error texts are
// the original's, because they end up in status updates.
func MakeSandbox(run Run, account string) error {
	dir := run.Sandbox()
	if err := makeOwned(dir, account); err != nil {
		return textf("Failed to create executor directory '%s': %s", dir, err)
	}
	if err := PointLatest(run.LatestRun(), dir); err != nil {
		return textf("Failed to symlink '%s' to '%s': %s", dir, run.LatestRun(), reason(err))
	}
	return nil
}

func makeOwned(dir, account string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return textf("Failed to create directory: %s", reason(err))
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		return textf("Failed to chmod directory: %s", reason(err))
	}
	if account == "" {
		return nil
	}
	u, err := user.Lookup(account)
	if err != nil {
		return textf("Failed to chown directory to '%s': No such user '%s'", account, account)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		return textf("Failed to chown directory to '%s': %s", account, reason(err))
	}
	return nil
}

// MakeRunMeta makes the checkpoint directory of a run and points "latest" to it.
func MakeRunMeta(run Run) error {
	dir := run.Meta()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		return fmt.Errorf("cannot checkpoint: %w", err)
	}
	return PointLatest(filepath.Join(run.Executor.Meta(), "runs", LatestName), dir)
}

// wireText is an error whose text is the original's, capital letter and all.
type wireText string

func (e wireText) Error() string { return string(e) }

func textf(format string, args ...any) error { return wireText(fmt.Sprintf(format, args...)) }

// reason is the bare text of a system error, as strerror gives it, capital first.
func reason(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	text := number.Error()
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text
}
