package mesos

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/launch"
	"stoa/internal/mesos/mesospb"
)

var rlimitNumbers = map[mesospb.RLimitInfo_RLimit_Type]int{
	mesospb.RLimitInfo_RLimit_RLMT_AS:         unix.RLIMIT_AS,
	mesospb.RLimitInfo_RLimit_RLMT_CORE:       unix.RLIMIT_CORE,
	mesospb.RLimitInfo_RLimit_RLMT_CPU:        unix.RLIMIT_CPU,
	mesospb.RLimitInfo_RLimit_RLMT_DATA:       unix.RLIMIT_DATA,
	mesospb.RLimitInfo_RLimit_RLMT_FSIZE:      unix.RLIMIT_FSIZE,
	mesospb.RLimitInfo_RLimit_RLMT_LOCKS:      unix.RLIMIT_LOCKS,
	mesospb.RLimitInfo_RLimit_RLMT_MEMLOCK:    unix.RLIMIT_MEMLOCK,
	mesospb.RLimitInfo_RLimit_RLMT_MSGQUEUE:   unix.RLIMIT_MSGQUEUE,
	mesospb.RLimitInfo_RLimit_RLMT_NICE:       unix.RLIMIT_NICE,
	mesospb.RLimitInfo_RLimit_RLMT_NOFILE:     unix.RLIMIT_NOFILE,
	mesospb.RLimitInfo_RLimit_RLMT_NPROC:      unix.RLIMIT_NPROC,
	mesospb.RLimitInfo_RLimit_RLMT_RSS:        unix.RLIMIT_RSS,
	mesospb.RLimitInfo_RLimit_RLMT_RTPRIO:     unix.RLIMIT_RTPRIO,
	mesospb.RLimitInfo_RLimit_RLMT_RTTIME:     unix.RLIMIT_RTTIME,
	mesospb.RLimitInfo_RLimit_RLMT_SIGPENDING: unix.RLIMIT_SIGPENDING,
	mesospb.RLimitInfo_RLimit_RLMT_STACK:      unix.RLIMIT_STACK,
}

// rlimits gives the limits of the Spec's RLimitInfo. Like the original they only count with the
// posix/rlimits isolator.
func (c *Containerizer) rlimits(spec containerizer.Spec) ([]launch.Rlimit, error) {
	if !slices.Contains(c.config.Isolation, "posix/rlimits") {
		return nil, nil
	}
	info := spec.Executor.GetContainer().GetRlimitInfo()
	if spec.Task.GetContainer() != nil {
		info = spec.Task.GetContainer().GetRlimitInfo()
	}
	var limits []launch.Rlimit
	for _, limit := range info.GetRlimits() {
		number, ok := rlimitNumbers[limit.GetType()]
		if !ok {
			return nil, fmt.Errorf("Unknown rlimit type %d", limit.GetType())
		}
		if (limit.Soft == nil) != (limit.Hard == nil) {
			return nil, fmt.Errorf("Invalid rlimit values for %s: set both 'soft' and 'hard', or neither", limit.GetType())
		}
		soft, hard := uint64(unix.RLIM_INFINITY), uint64(unix.RLIM_INFINITY)
		if limit.Soft != nil {
			soft, hard = limit.GetSoft(), limit.GetHard()
		}
		limits = append(limits, launch.Rlimit{Resource: number, Soft: soft, Hard: hard})
	}
	return limits, nil
}
