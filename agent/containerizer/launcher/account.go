package launcher

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Account is whom a container runs as. The zero Account is the agent's own.
type Account struct {
	// Name is the user's name; Credential is nil if it is the agent's own account.
	Name       string
	Credential *syscall.Credential
}

// account looks the user up. An agent that is not root can only run containers as itself.
func (l *Launcher) account(name string) (Account, error) {
	if name == "" || !l.config.SwitchUser {
		return Account{}, nil
	}
	entry, err := user.Lookup(name)
	if err != nil {
		return Account{}, fmt.Errorf("Failed to get user information for '%s': %w", name, err)
	}
	uid, err := strconv.ParseUint(entry.Uid, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("Failed to get user information for '%s': uid %q", name, entry.Uid)
	}
	if int(uid) == os.Geteuid() {
		return Account{Name: name}, nil
	}
	if os.Geteuid() != 0 {
		return Account{}, fmt.Errorf("Failed to run as user '%s': the agent does not run as root", name)
	}
	gid, err := strconv.ParseUint(entry.Gid, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("Failed to get user information for '%s': gid %q", name, entry.Gid)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	groups, err := entry.GroupIds()
	if err != nil {
		return Account{}, fmt.Errorf("Failed to get the supplementary groups of '%s': %w", name, err)
	}
	for _, group := range groups {
		id, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return Account{}, fmt.Errorf("Failed to get the supplementary groups of '%s': gid %q", name, group)
		}
		credential.Groups = append(credential.Groups, uint32(id))
	}
	return Account{Name: name, Credential: credential}, nil
}

func (a Account) chown(path string) error {
	if a.Credential == nil {
		return nil
	}
	if err := os.Lchown(path, int(a.Credential.Uid), int(a.Credential.Gid)); err != nil {
		return fmt.Errorf("Failed to change the owner of '%s' to '%s': %w", path, a.Name, err)
	}
	return nil
}

// openLog opens a log file of the sandbox for appending. The file may already hold what an
// earlier step wrote, and may not be a link that leads elsewhere.
func openLog(path string, owner Account) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("Failed to create '%s': %w", path, err)
	}
	if owner.Credential != nil {
		if err := f.Chown(int(owner.Credential.Uid), int(owner.Credential.Gid)); err != nil {
			f.Close()
			return nil, fmt.Errorf("Failed to change the owner of '%s': %w", path, err)
		}
	}
	return f, nil
}
