package mesos

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is whom a container runs as. The zero account is the agent's own.
type account struct {
	name       string
	credential *syscall.Credential
}

// account looks the user up. An agent that is not root can only run containers as itself.
func (c *Containerizer) account(name string) (account, error) {
	if name == "" || !c.config.SwitchUser {
		return account{}, nil
	}
	entry, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("Failed to get user information for '%s': %w", name, err)
	}
	uid, err := strconv.ParseUint(entry.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("Failed to get user information for '%s': uid %q", name, entry.Uid)
	}
	if int(uid) == os.Geteuid() {
		return account{name: name}, nil
	}
	if os.Geteuid() != 0 {
		return account{}, fmt.Errorf("Failed to run as user '%s': the agent does not run as root", name)
	}
	gid, err := strconv.ParseUint(entry.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("Failed to get user information for '%s': gid %q", name, entry.Gid)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	groups, err := entry.GroupIds()
	if err != nil {
		return account{}, fmt.Errorf("Failed to get the supplementary groups of '%s': %w", name, err)
	}
	for _, group := range groups {
		id, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("Failed to get the supplementary groups of '%s': gid %q", name, group)
		}
		credential.Groups = append(credential.Groups, uint32(id))
	}
	return account{name: name, credential: credential}, nil
}

func (a account) chown(path string) error {
	if a.credential == nil {
		return nil
	}
	if err := os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid)); err != nil {
		return fmt.Errorf("Failed to change the owner of '%s' to '%s': %w", path, a.name, err)
	}
	return nil
}

// openLog opens a log file of the sandbox for appending. The file may already hold what an
// earlier step wrote, and may not be a link that leads elsewhere.
func openLog(path string, owner account) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("Failed to create '%s': %w", path, err)
	}
	if owner.credential != nil {
		if err := f.Chown(int(owner.credential.Uid), int(owner.credential.Gid)); err != nil {
			f.Close()
			return nil, fmt.Errorf("Failed to change the owner of '%s': %w", path, err)
		}
	}
	return f, nil
}
