package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"stoa/internal/mesos/mesospb"
)

// LinkVolumes makes the sandbox hold links to the persistent volumes among the wanted
// resources and no links to those that were there before only. Read-only volumes are not enforced:
// a link cannot (src/slave/containerizer/mesos/isolators/filesystem/posix.cpp).
func LinkVolumes(workDir, sandbox string, before, wanted []*mesospb.Resource) error {
	if workDir == "" {
		return nil
	}
	links := make(map[string]string)
	for _, resource := range wanted {
		volume, ok, err := PersistentVolume(workDir, resource)
		if err != nil {
			return err
		}
		if ok && linkable(volume.ContainerPath) {
			links[volume.ContainerPath] = volume.Source
		}
	}
	for _, resource := range before {
		volume, ok, err := PersistentVolume(workDir, resource)
		if _, stays := links[volume.ContainerPath]; err != nil || !ok || stays || !linkable(volume.ContainerPath) {
			continue
		}
		link := filepath.Join(sandbox, volume.ContainerPath)
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

// linkable tells whether a container path gets a link: nested and absolute ones do not, as in the original.
func linkable(path string) bool {
	return path != "." && path != ".." && !strings.Contains(path, "/")
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

// Volume is a persistent volume on the agent's own disk.
type Volume struct {
	// Source is its directory on the host; ContainerPath its place in the container, relative to the
	// sandbox or absolute.
	Source, ContainerPath string
	ReadOnly              bool
}

// PersistentVolume gives the volume of a resource, and false for one that is none
// (src/slave/paths.cpp, getPersistentVolumePath).
func PersistentVolume(workDir string, resource *mesospb.Resource) (Volume, bool, error) {
	disk := resource.GetDisk()
	id := disk.GetPersistence().GetId()
	if id == "" || disk.GetVolume().GetContainerPath() == "" {
		return Volume{}, false, nil
	}
	volume := Volume{ContainerPath: disk.GetVolume().GetContainerPath(), ReadOnly: disk.GetVolume().GetMode() == mesospb.Volume_RO}
	root := workDir
	if source := disk.GetSource(); source != nil {
		switch source.GetType() {
		case mesospb.Resource_DiskInfo_Source_PATH:
			if root = source.GetPath().GetRoot(); !filepath.IsAbs(root) {
				root = filepath.Join(workDir, root)
			}
		case mesospb.Resource_DiskInfo_Source_MOUNT:
			// A mount disk is the volume itself.
			if volume.Source = source.GetMount().GetRoot(); !filepath.IsAbs(volume.Source) {
				volume.Source = filepath.Join(workDir, volume.Source)
			}
			return volume, true, nil
		default:
			return Volume{}, false, fmt.Errorf("Persistent volumes on disks of type %s are not supported", source.GetType())
		}
	}
	role := resource.GetRole()
	if n := len(resource.GetReservations()); n > 0 {
		role = resource.GetReservations()[n-1].GetRole()
	}
	// Both become path elements.
	role = strings.ReplaceAll(role, "/", " ")
	for _, name := range []string{role, id} {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return Volume{}, false, fmt.Errorf("Persistent volume with an invalid name '%s'", name)
		}
	}
	volume.Source = filepath.Join(root, "volumes", "roles", role, id)
	return volume, true, nil
}
