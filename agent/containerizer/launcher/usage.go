package launcher

import (
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

// clockTicks is USER_HZ, which Linux fixes at 100 for every architecture that Go runs on.
const clockTicks = 100

// Usage adds up what the processes of the tree use now, as the posix/cpu and posix/mem isolators
// do. Time used by processes that have ended is not in it.
func (l *Launcher) Usage(id *mesospb.ContainerID) (*mesospb.ResourceStatistics, error) {
	l.mu.Lock()
	box, ok := l.containers[id.GetValue()]
	if !ok {
		l.mu.Unlock()
		return nil, ErrUnknown
	}
	root := proctree.Root{PID: box.root.PID}
	resources := box.resources
	l.mu.Unlock()

	statistics := &mesospb.ResourceStatistics{
		Timestamp: proto.Float64(float64(time.Now().UnixMicro()) / 1e6),
	}
	processes, err := proctree.Snapshot()
	if err != nil {
		return nil, err
	}
	if root.PID > 0 {
		var user, system uint64
		var pages int64
		for _, p := range root.Members(processes) {
			user += p.UserTicks
			system += p.SystemTicks
			pages += p.ResidentPages
		}
		statistics.CpusUserTimeSecs = proto.Float64(float64(user) / clockTicks)
		statistics.CpusSystemTimeSecs = proto.Float64(float64(system) / clockTicks)
		statistics.MemRssBytes = proto.Uint64(uint64(pages) * uint64(os.Getpagesize()))
	}
	SetLimits(statistics, resources)
	return statistics, nil
}

// Scalar sums a scalar resource in exact thousandths.
func Scalar(resources []*mesospb.Resource, name string) float64 {
	var thousandths int64
	for _, resource := range resources {
		if resource.GetName() == name {
			value := resource.GetScalar().GetValue()
			thousandths += int64(value*1000 + 0.5)
		}
	}
	return float64(thousandths) / 1000
}

// SetLimits writes what the container asked for into its statistics.
func SetLimits(statistics *mesospb.ResourceStatistics, resources []*mesospb.Resource) {
	if cpus := Scalar(resources, "cpus"); cpus > 0 {
		statistics.CpusSoftLimit = proto.Float64(cpus)
	}
	if mem := Scalar(resources, "mem"); mem > 0 {
		limit := uint64(mem * (1 << 20))
		statistics.MemLimitBytes = proto.Uint64(limit)
		statistics.MemSoftLimitBytes = proto.Uint64(limit)
	}
}

// Resources gives the container's present resources, and false if it is unknown.
func (l *Launcher) Resources(id *mesospb.ContainerID) ([]*mesospb.Resource, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	box, ok := l.containers[id.GetValue()]
	if !ok {
		return nil, false
	}
	return box.resources, true
}
