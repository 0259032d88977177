package mesos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"stoa/internal/mesos/mesospb"
)

// linkVolumes makes the sandbox hold links to the persistent volumes among the wanted
// resources and no links to those that were there before only. Read-only volumes are not enforced:
// a link cannot (src/slave/containerizer/mesos/isolators/filesystem/posix.cpp).
func (c *Containerizer) linkVolumes(sandbox string, before, wanted []*mesospb.Resource) error {
	if c.config.WorkDir == "" {
		return nil
	}
	links := make(map[string]string)
	for _, resource := range wanted {
		if name, target, ok := c.volume(resource); ok {
			links[name] = target
		}
	}
	for _, resource := range before {
		name, _, ok := c.volume(resource)
		if _, stays := links[name]; !ok || stays {
			continue
		}
		link := filepath.Join(sandbox, name)
		if stat, err := os.Lstat(link); err == nil && stat.Mode()&os.ModeSymlink != 0 {
			if err := os.Remove(link); err != nil {
				return fmt.Errorf("Failed to remove the symlink for the unneeded persistent volume at '%s'", link)
			}
		}
	}
	for name, target := range links {
		if err := linkVolume(sandbox, filepath.Join(sandbox, name), target); err != nil {
			return err
		}
	}
	return nil
}

func linkVolume(sandbox, link, target string) error {
	if old, err := os.Readlink(link); err == nil {
		if old == target {
			return nil
		}
		return fmt.Errorf("The existing symlink '%s' points to '%s' and the new target is '%s'", link, old, target)
	}
	// The volume belongs to whom the sandbox belongs to.
	var stat syscall.Stat_t
	if err := syscall.Stat(sandbox, &stat); err != nil {
		return fmt.Errorf("Failed to get ownership for '%s': %w", sandbox, err)
	}
	if stat.Uid != 0 && os.Geteuid() == 0 {
		if err := os.Chown(target, int(stat.Uid), int(stat.Gid)); err != nil {
			return fmt.Errorf("Failed to change the ownership of the persistent volume at '%s' with uid %d and gid %d: %w",
				target, stat.Uid, stat.Gid, err)
		}
	}
	if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("Failed to symlink persistent volume from '%s' to '%s': %w", target, link, err)
	}
	return nil
}

// volume gives the link's name and the directory of a persistent volume on the agent's own disk.
// Nested and absolute container paths get no link, as in the original.
func (c *Containerizer) volume(resource *mesospb.Resource) (name, target string, ok bool) {
	id := resource.GetDisk().GetPersistence().GetId()
	name = resource.GetDisk().GetVolume().GetContainerPath()
	if id == "" || name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return "", "", false
	}
	root := c.config.WorkDir
	if source := resource.GetDisk().GetSource(); source != nil {
		switch {
		case source.GetPath().GetRoot() != "":
			root = source.GetPath().GetRoot()
		case source.GetMount().GetRoot() != "":
			// A mount disk is the volume itself.
			return name, source.GetMount().GetRoot(), true
		}
		if !filepath.IsAbs(root) {
			root = filepath.Join(c.config.WorkDir, root)
		}
	}
	role := resource.GetRole()
	if n := len(resource.GetReservations()); n > 0 {
		role = resource.GetReservations()[n-1].GetRole()
	}
	return name, filepath.Join(root, "volumes", "roles", strings.ReplaceAll(role, "/", " "), id), true
}
