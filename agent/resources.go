package agent

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"syscall"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// What is offered when a machine's size cannot be found out
// (src/slave/constants.hpp).
const (
	fallbackMem  = 1 << 10  // MB
	fallbackDisk = 10 << 10 // MB
	defaultPorts = "[31000-32000]"
)

// machine is what detection needs to know of the machine, in MB.
type machine struct {
	cpus      int
	mem, disk uint64 // 0 if unknown
}

// inspect measures the machine; disk is the size of the file system that holds dir.
func inspect(dir string) machine {
	m := machine{cpus: runtime.NumCPU()}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		m.mem = uint64(info.Totalram) * uint64(info.Unit) >> 20
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) == nil {
		m.disk = fs.Blocks * uint64(fs.Frsize) >> 20
	}
	return m
}

// agentResources are the ones of --resources, and what is missing there of cpus, mem,
// disk and ports as the original detects it (src/slave/containerizer/containerizer.cpp):
// all cpus, all but 1 GB of the memory, all but 5 GB of the disk, or half of a small one.
func agentResources(text, role string, m machine) (resources.Resources, error) {
	if _, err := resources.Parse(text, role); err != nil {
		return resources.Resources{}, fmt.Errorf("--resources=%q: %w", text, err)
	}
	given, err := resources.ParseList(text, role)
	if err != nil {
		return resources.Resources{}, fmt.Errorf("--resources=%q: %w", text, err)
	}
	named := map[string]bool{}
	for _, r := range given {
		named[r.GetName()] = true
	}
	list := given
	add := func(name, value string) error {
		if named[name] {
			return nil
		}
		more, err := resources.ParseList(name+":"+value, role)
		if err != nil {
			return err
		}
		list = append(list, more...)
		return nil
	}
	for _, one := range []struct {
		name  string
		value string
	}{
		{"cpus", fmt.Sprint(max(m.cpus, 1))},
		{"mem", fmt.Sprint(leave(m.mem, 2<<10, 1<<10, fallbackMem))},
		{"disk", fmt.Sprint(leave(m.disk, 10<<10, 5<<10, fallbackDisk))},
		{"ports", defaultPorts},
	} {
		if err := add(one.name, one.value); err != nil {
			return resources.Resources{}, err
		}
	}
	for _, r := range list {
		if r.GetType() == mesospb.Value_TEXT {
			return resources.Resources{}, fmt.Errorf("--resources: %s has a text value; give a number, ranges or a set", r.GetName())
		}
	}
	return resources.New(list...), nil
}

// leave takes reserve off a total of at least big, half off a smaller one, all in MB.
func leave(total, big, reserve, fallback uint64) uint64 {
	switch {
	case total == 0:
		return fallback
	case total >= big:
		return total - reserve
	}
	return total / 2
}

// parseAttributes reads --attributes: "rack:r1;level:10;slots:[1-4]".
func parseAttributes(text string) ([]*mesospb.Attribute, error) {
	var list []*mesospb.Attribute
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		name, value, ok := strings.Cut(token, ":")
		if !ok {
			return nil, fmt.Errorf("--attributes: invalid attribute key:value pair '%s'", token)
		}
		v, err := resources.ParseValue(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("--attributes: attribute '%s': %w", token, err)
		}
		attribute := &mesospb.Attribute{Name: proto.String(strings.TrimSpace(name)), Type: v.Type}
		switch v.GetType() {
		case mesospb.Value_SCALAR:
			if f := v.GetScalar().GetValue(); math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, fmt.Errorf("--attributes: attribute '%s' is not a number", token)
			}
			attribute.Scalar = v.Scalar
		case mesospb.Value_RANGES:
			attribute.Ranges = v.Ranges
		case mesospb.Value_TEXT:
			attribute.Text = v.Text
		default:
			return nil, fmt.Errorf("--attributes: attribute '%s' is a set, which attributes cannot be", token)
		}
		list = append(list, attribute)
	}
	return list, nil
}
