package validation

import (
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

// Executor checks an executor by itself.
func Executor(e *mesospb.ExecutorInfo) error {
	switch e.GetType() {
	case mesospb.ExecutorInfo_DEFAULT:
		if e.Command != nil {
			return errors.New("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
		}
		if c := e.Container; c != nil {
			if c.GetType() != mesospb.ContainerInfo_MESOS {
				return errors.New("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
			}
			if c.GetMesos().GetImage() != nil {
				return errors.New("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
			}
		}
	case mesospb.ExecutorInfo_CUSTOM:
		if e.Command == nil {
			return errors.New("'ExecutorInfo.command' must be set for 'CUSTOM' executor")
		}
	}
	if err := ids.Validate(e.GetExecutorId().GetValue()); err != nil {
		return err
	}
	if e.GetShutdownGracePeriod().GetNanoseconds() < 0 {
		return errors.New("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
	}
	if e.Command != nil {
		if err := CommandInfo(e.Command); err != nil {
			return wrap("Executor's `CommandInfo` is invalid: ", err)
		}
	}
	if e.Container != nil {
		return wrap("Executor's `ContainerInfo` is invalid: ", ContainerInfo(e.Container))
	}
	return nil
}

// executorFor checks an executor that a framework wants on an agent.
func (l *Launch) executorFor(e *mesospb.ExecutorInfo) error {
	if err := Executor(e); err != nil {
		return err
	}
	if e.FrameworkId == nil {
		return errors.New("'ExecutorInfo.framework_id' must be set")
	}
	if e.GetFrameworkId().GetValue() != l.Framework {
		return fmt.Errorf("ExecutorInfo has an invalid FrameworkID (Actual: %s vs Expected: %s)", e.GetFrameworkId().GetValue(), l.Framework)
	}
	if err := Resources(e.GetResources()); err != nil {
		return wrap("Executor uses invalid resources: ", err)
	}
	rs := resources.New(e.GetResources()...)
	if err := uniquePersistence(rs); err != nil {
		return wrap("Executor uses duplicate persistence ID: ", err)
	}
	if err := allocatedToOneRole(rs); err != nil {
		return wrap("Invalid executor resources: ", err)
	}
	if err := notMixedRevocable(rs); err != nil {
		return wrap("Executor mixes revocable and non-revocable resources: ", err)
	}
	if old := l.Executor(e.GetExecutorId().GetValue()); old != nil && !SameExecutor(old, e) {
		const line = "------------------------------------------------------------\n"
		return fmt.Errorf("ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n%sExisting ExecutorInfo:\n%s\n%sExecutorInfo:\n%s\n%s", line, DebugString(old), line, DebugString(e), line)
	}
	return nil
}

// SameExecutor says whether two descriptions are the same executor's. The order
// of resources is no difference.
func SameExecutor(a, b *mesospb.ExecutorInfo) bool {
	if proto.Equal(a, b) {
		return true
	}
	strip := func(e *mesospb.ExecutorInfo) *mesospb.ExecutorInfo {
		e = proto.Clone(e).(*mesospb.ExecutorInfo)
		e.Resources = nil
		return e
	}
	return proto.Equal(strip(a), strip(b)) &&
		resources.New(a.GetResources()...).Equal(resources.New(b.GetResources()...))
}

// Names of the limits below which an executor of a task group is refused
// (src/master/constants.hpp, MIN_CPUS and MIN_MEM).
const (
	minCpus resources.Scalar = 10    // 0.01 cpus
	minMem  resources.Scalar = 32000 // 32 MB
)

func executorMinimum(e *mesospb.ExecutorInfo) error {
	rs := resources.New(e.GetResources()...)
	id := e.GetExecutorId().GetValue()
	if cpus, ok := rs.Scalar("cpus"); !ok || cpus < minCpus {
		text := "None"
		if ok {
			text = double(cpus.Float())
		}
		return fmt.Errorf("Executor '%s' uses less CPUs (%s) than the minimum required (0.01)", id, text)
	}
	if mem, ok := rs.Scalar("mem"); !ok || mem < minMem {
		text := "None"
		if ok {
			text = bytesText(int64(mem))
		}
		return fmt.Errorf("Executor '%s' uses less memory (%s) than the minimum required (32MB)", id, text)
	}
	if _, ok := rs.Scalar("disk"); !ok {
		return fmt.Errorf("Executor '%s' uses no disk", id)
	}
	return nil
}

func sharesCgroups(c *mesospb.ContainerInfo) bool {
	if s := c.GetLinuxInfo(); s != nil && s.ShareCgroups != nil {
		return s.GetShareCgroups()
	}
	return true
}

// asksToShareCgroups says whether share_cgroups was set to true, not only left so.
func asksToShareCgroups(c *mesospb.ContainerInfo) bool {
	s := c.GetLinuxInfo()
	return s != nil && s.ShareCgroups != nil && s.GetShareCgroups()
}

// list is the original's text of a vector: `[ a, b ]`.
func list(items []string) string { return "[ " + strings.Join(items, ", ") + " ]" }
