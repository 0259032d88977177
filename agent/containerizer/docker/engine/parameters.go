package engine

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/docker/go-units"

	"stoa/internal/mesos/mesospb"
)

// seenParameters tells what the parameters took over from the rest of the description.
type seenParameters struct {
	network, dns bool
}

// parameters applies DockerInfo.parameters, each the name and value of an option of the docker
// command's run. Options of the running command itself, such as detach, are refused.
func (o *Options) parameters(list []*mesospb.Parameter) (seenParameters, error) {
	var seen seenParameters
	for _, parameter := range list {
		key, value := parameter.GetKey(), parameter.GetValue()
		switch key {
		case "net", "network":
			if seen.network {
				return seen, errors.New("Only a single network can be defined in Docker run")
			}
			seen.network = true
			o.host.NetworkMode = container.NetworkMode(value)
			continue
		case "dns", "dns-search", "dns-opt", "dns-option":
			seen.dns = true
		}
		apply, ok := runOptions[key]
		if !ok {
			return seen, fmt.Errorf("unknown docker parameter '%s'", key)
		}
		if err := apply(o, value); err != nil {
			return seen, fmt.Errorf("invalid argument \"%s\" for docker parameter '%s': %w", value, key, err)
		}
	}
	// Addresses and aliases are a matter of the network, which may come last.
	if own, ok := o.network.EndpointsConfig[""]; ok {
		delete(o.network.EndpointsConfig, "")
		o.network.EndpointsConfig[string(o.host.NetworkMode)] = own
	}
	return seen, nil
}

func (o *Options) endpoint() *network.EndpointSettings {
	if o.network.EndpointsConfig == nil {
		o.network.EndpointsConfig = make(map[string]*network.EndpointSettings)
	}
	if o.network.EndpointsConfig[""] == nil {
		o.network.EndpointsConfig[""] = &network.EndpointSettings{}
	}
	return o.network.EndpointsConfig[""]
}

func (o *Options) ipam() *network.EndpointIPAMConfig {
	endpoint := o.endpoint()
	if endpoint.IPAMConfig == nil {
		endpoint.IPAMConfig = &network.EndpointIPAMConfig{}
	}
	return endpoint.IPAMConfig
}

func (o *Options) healthcheck() *container.HealthConfig {
	if o.config.Healthcheck == nil {
		o.config.Healthcheck = &container.HealthConfig{}
	}
	return o.config.Healthcheck
}

// apply sets one option.
type apply func(o *Options, value string) error

func text(place func(*Options) *string) apply {
	return func(o *Options, value string) error { *place(o) = value; return nil }
}

func list(place func(*Options) *[]string) apply {
	return func(o *Options, value string) error { p := place(o); *p = append(*p, value); return nil }
}

func boolean(place func(*Options) *bool) apply {
	return func(o *Options, value string) error {
		b, err := strconv.ParseBool(value)
		*place(o) = b
		return err
	}
}

func integer(place func(*Options) *int64) apply {
	return func(o *Options, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		*place(o) = n
		return err
	}
}

func size(place func(*Options) *int64) apply {
	return func(o *Options, value string) error {
		n, err := units.RAMInBytes(value)
		*place(o) = n
		return err
	}
}

func pairs(place func(*Options) *map[string]string) apply {
	return func(o *Options, value string) error {
		p := place(o)
		if *p == nil {
			*p = make(map[string]string)
		}
		k, v, _ := strings.Cut(value, "=")
		(*p)[k] = v
		return nil
	}
}

func throttle(place func(*Options) *[]*blkiodev.ThrottleDevice, parse func(string) (int64, error)) apply {
	return func(o *Options, value string) error {
		device, rate, ok := strings.Cut(value, ":")
		n, err := parse(rate)
		if !ok || err != nil || n < 0 {
			return errors.New("the form is <device>:<number>")
		}
		p := place(o)
		*p = append(*p, &blkiodev.ThrottleDevice{Path: device, Rate: uint64(n)})
		return nil
	}
}

func interval(place func(*Options) *time.Duration) apply {
	return func(o *Options, value string) error {
		d, err := time.ParseDuration(value)
		*place(o) = d
		return err
	}
}

func decimal(value string) (int64, error) { return strconv.ParseInt(value, 10, 64) }

// runOptions are the options of `docker run` that describe the container.
var runOptions = map[string]apply{
	"add-host":            list(func(o *Options) *[]string { return &o.host.ExtraHosts }),
	"annotation":          pairs(func(o *Options) *map[string]string { return &o.host.Annotations }),
	"blkio-weight":        blkioWeight,
	"cap-add":             func(o *Options, v string) error { o.host.CapAdd = append(o.host.CapAdd, v); return nil },
	"cap-drop":            func(o *Options, v string) error { o.host.CapDrop = append(o.host.CapDrop, v); return nil },
	"cgroup-parent":       text(func(o *Options) *string { return &o.host.CgroupParent }),
	"cgroupns":            text(func(o *Options) *string { return (*string)(&o.host.CgroupnsMode) }),
	"cpu-period":          integer(func(o *Options) *int64 { return &o.host.CPUPeriod }),
	"cpu-quota":           integer(func(o *Options) *int64 { return &o.host.CPUQuota }),
	"cpu-rt-period":       integer(func(o *Options) *int64 { return &o.host.CPURealtimePeriod }),
	"cpu-rt-runtime":      integer(func(o *Options) *int64 { return &o.host.CPURealtimeRuntime }),
	"cpu-shares":          integer(func(o *Options) *int64 { return &o.host.CPUShares }),
	"cpus":                nanoCPUs,
	"cpuset-cpus":         text(func(o *Options) *string { return &o.host.CpusetCpus }),
	"cpuset-mems":         text(func(o *Options) *string { return &o.host.CpusetMems }),
	"device":              device,
	"device-cgroup-rule":  list(func(o *Options) *[]string { return &o.host.DeviceCgroupRules }),
	"device-read-bps":     throttle(func(o *Options) *[]*blkiodev.ThrottleDevice { return &o.host.BlkioDeviceReadBps }, units.RAMInBytes),
	"device-write-bps":    throttle(func(o *Options) *[]*blkiodev.ThrottleDevice { return &o.host.BlkioDeviceWriteBps }, units.RAMInBytes),
	"device-read-iops":    throttle(func(o *Options) *[]*blkiodev.ThrottleDevice { return &o.host.BlkioDeviceReadIOps }, decimal),
	"device-write-iops":   throttle(func(o *Options) *[]*blkiodev.ThrottleDevice { return &o.host.BlkioDeviceWriteIOps }, decimal),
	"dns":                 list(func(o *Options) *[]string { return &o.host.DNS }),
	"dns-opt":             list(func(o *Options) *[]string { return &o.host.DNSOptions }),
	"dns-option":          list(func(o *Options) *[]string { return &o.host.DNSOptions }),
	"dns-search":          list(func(o *Options) *[]string { return &o.host.DNSSearch }),
	"domainname":          text(func(o *Options) *string { return &o.config.Domainname }),
	"entrypoint":          func(o *Options, v string) error { o.config.Entrypoint = []string{v}; return nil },
	"env":                 environment,
	"env-file":            environmentFile,
	"expose":              expose,
	"group-add":           list(func(o *Options) *[]string { return &o.host.GroupAdd }),
	"health-cmd":          func(o *Options, v string) error { o.healthcheck().Test = []string{"CMD-SHELL", v}; return nil },
	"health-interval":     interval(func(o *Options) *time.Duration { return &o.healthcheck().Interval }),
	"health-timeout":      interval(func(o *Options) *time.Duration { return &o.healthcheck().Timeout }),
	"health-start-period": interval(func(o *Options) *time.Duration { return &o.healthcheck().StartPeriod }),
	"health-retries":      func(o *Options, v string) (err error) { o.healthcheck().Retries, err = strconv.Atoi(v); return },
	"no-healthcheck":      func(o *Options, v string) error { o.healthcheck().Test = []string{"NONE"}; return nil },
	"hostname":            text(func(o *Options) *string { return &o.config.Hostname }),
	"init":                func(o *Options, v string) error { b, err := strconv.ParseBool(v); o.host.Init = &b; return err },
	"interactive":         boolean(func(o *Options) *bool { return &o.config.OpenStdin }),
	"ip":                  address(func(o *Options) *string { return &o.ipam().IPv4Address }),
	"ip6":                 address(func(o *Options) *string { return &o.ipam().IPv6Address }),
	"ipc":                 text(func(o *Options) *string { return (*string)(&o.host.IpcMode) }),
	"label":               pairs(func(o *Options) *map[string]string { return &o.config.Labels }),
	"link":                list(func(o *Options) *[]string { return &o.host.Links }),
	"link-local-ip":       list(func(o *Options) *[]string { return &o.ipam().LinkLocalIPs }),
	"log-driver":          text(func(o *Options) *string { return &o.host.LogConfig.Type }),
	"log-opt":             pairs(func(o *Options) *map[string]string { return &o.host.LogConfig.Config }),
	"mac-address":         text(func(o *Options) *string { return &o.endpoint().MacAddress }),
	"memory":              size(func(o *Options) *int64 { return &o.host.Memory }),
	"memory-reservation":  size(func(o *Options) *int64 { return &o.host.MemoryReservation }),
	"memory-swap":         memorySwap,
	"memory-swappiness":   func(o *Options, v string) error { n, err := decimal(v); o.host.MemorySwappiness = &n; return err },
	"net-alias":           list(func(o *Options) *[]string { return &o.endpoint().Aliases }),
	"network-alias":       list(func(o *Options) *[]string { return &o.endpoint().Aliases }),
	"oom-kill-disable": func(o *Options, v string) error {
		b, err := strconv.ParseBool(v)
		o.host.OomKillDisable = &b
		return err
	},
	"oom-score-adj": func(o *Options, v string) (err error) { o.host.OomScoreAdj, err = strconv.Atoi(v); return },
	"pid":           text(func(o *Options) *string { return (*string)(&o.host.PidMode) }),
	"pids-limit":    func(o *Options, v string) error { n, err := decimal(v); o.host.PidsLimit = &n; return err },
	"privileged":    boolean(func(o *Options) *bool { return &o.host.Privileged }),
	"publish":       publish,
	"publish-all":   boolean(func(o *Options) *bool { return &o.host.PublishAllPorts }),
	"read-only":     boolean(func(o *Options) *bool { return &o.host.ReadonlyRootfs }),
	"restart":       restart,
	"rm":            boolean(func(o *Options) *bool { return &o.host.AutoRemove }),
	"runtime":       text(func(o *Options) *string { return &o.host.Runtime }),
	"security-opt":  securityOption,
	"shm-size":      size(func(o *Options) *int64 { return &o.host.ShmSize }),
	"stop-signal":   text(func(o *Options) *string { return &o.config.StopSignal }),
	"stop-timeout":  func(o *Options, v string) error { n, err := strconv.Atoi(v); o.config.StopTimeout = &n; return err },
	"storage-opt":   pairs(func(o *Options) *map[string]string { return &o.host.StorageOpt }),
	"sysctl":        pairs(func(o *Options) *map[string]string { return &o.host.Sysctls }),
	"tmpfs":         tmpfs,
	"tty":           boolean(func(o *Options) *bool { return &o.config.Tty }),
	"ulimit":        ulimit,
	"user":          text(func(o *Options) *string { return &o.config.User }),
	"userns":        text(func(o *Options) *string { return (*string)(&o.host.UsernsMode) }),
	"uts":           text(func(o *Options) *string { return (*string)(&o.host.UTSMode) }),
	"volume":        volume,
	"volume-driver": text(func(o *Options) *string { return &o.host.VolumeDriver }),
	"volumes-from":  list(func(o *Options) *[]string { return &o.host.VolumesFrom }),
	"workdir":       text(func(o *Options) *string { return &o.config.WorkingDir }),
}

func blkioWeight(o *Options, value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	o.host.BlkioWeight = uint16(n)
	return err
}

func nanoCPUs(o *Options, value string) error {
	cpus, err := strconv.ParseFloat(value, 64)
	if err != nil || cpus < 0 || math.IsInf(cpus, 0) || math.IsNaN(cpus) {
		return errors.New("not a number of processors")
	}
	o.host.NanoCPUs = int64(math.Round(cpus * 1e9))
	return nil
}

// device is <path on the host>[:<path in the container>][:<permissions>].
func device(o *Options, value string) error {
	parts := strings.Split(value, ":")
	mapping := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	permissions := func(s string) bool { return s != "" && strings.Trim(s, "rwm") == "" }
	switch {
	case len(parts) == 2 && permissions(parts[1]):
		mapping.CgroupPermissions = parts[1]
	case len(parts) == 2:
		mapping.PathInContainer = parts[1]
	case len(parts) == 3 && permissions(parts[2]):
		mapping.PathInContainer, mapping.CgroupPermissions = parts[1], parts[2]
	case len(parts) != 1:
		return errors.New("the form is <host path>[:<container path>][:<permissions>]")
	}
	o.host.Devices = append(o.host.Devices, mapping)
	return nil
}

// environment is NAME=value, or NAME to take the value of the agent's environment.
func environment(o *Options, value string) error {
	name, _, ok := strings.Cut(value, "=")
	if name == "" {
		return errors.New("the form is NAME=value")
	}
	if !ok {
		inherited, found := os.LookupEnv(name)
		if !found {
			return nil
		}
		value = name + "=" + inherited
	}
	o.config.Env = append(o.config.Env, value)
	return nil
}

func environmentFile(o *Options, name string) error {
	content, err := readFile(name)
	if err != nil {
		return err
	}
	scanner := bufio.NewScanner(strings.NewReader(content))
	for scanner.Scan() {
		line := strings.TrimLeft(scanner.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := environment(o, line); err != nil {
			return err
		}
	}
	return scanner.Err()
}

func expose(o *Options, value string) error {
	protocol, ports := nat.SplitProtoPort(value)
	first, last, err := nat.ParsePortRange(ports)
	if err != nil {
		return err
	}
	if o.config.ExposedPorts == nil {
		o.config.ExposedPorts = nat.PortSet{}
	}
	for n := first; n <= last; n++ {
		port, err := nat.NewPort(protocol, strconv.FormatUint(n, 10))
		if err != nil {
			return err
		}
		o.config.ExposedPorts[port] = struct{}{}
	}
	return nil
}

func publish(o *Options, value string) error {
	exposed, bindings, err := nat.ParsePortSpecs([]string{value})
	if err != nil {
		return err
	}
	if o.config.ExposedPorts == nil {
		o.config.ExposedPorts = nat.PortSet{}
	}
	if o.host.PortBindings == nil {
		o.host.PortBindings = nat.PortMap{}
	}
	for port := range exposed {
		o.config.ExposedPorts[port] = struct{}{}
	}
	for port, more := range bindings {
		o.host.PortBindings[port] = append(o.host.PortBindings[port], more...)
	}
	return nil
}

func address(place func(*Options) *string) apply {
	return func(o *Options, value string) error {
		if net.ParseIP(value) == nil {
			return errors.New("not an IP address")
		}
		*place(o) = value
		return nil
	}
}

func memorySwap(o *Options, value string) error {
	if value == "-1" {
		o.host.MemorySwap = -1
		return nil
	}
	n, err := units.RAMInBytes(value)
	o.host.MemorySwap = n
	return err
}

func restart(o *Options, value string) error {
	name, count, ok := strings.Cut(value, ":")
	o.host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(count)
	o.host.RestartPolicy.MaximumRetryCount = n
	return err
}

// securityOption sends the content of a seccomp profile, not its name, which only means something here.
func securityOption(o *Options, value string) error {
	value = strings.Replace(value, "seccomp:", "seccomp=", 1)
	if name, ok := strings.CutPrefix(value, "seccomp="); ok && name != "unconfined" && name != "builtin" {
		profile, err := readFile(name)
		if err != nil {
			return err
		}
		value = "seccomp=" + profile
	}
	o.host.SecurityOpt = append(o.host.SecurityOpt, value)
	return nil
}

func tmpfs(o *Options, value string) error {
	if o.host.Tmpfs == nil {
		o.host.Tmpfs = make(map[string]string)
	}
	place, options, _ := strings.Cut(value, ":")
	o.host.Tmpfs[place] = options
	return nil
}

func ulimit(o *Options, value string) error {
	limit, err := units.ParseUlimit(value)
	if err != nil {
		return err
	}
	o.host.Ulimits = append(o.host.Ulimits, limit)
	return nil
}

// volume is <host path or name>:<container path>[:<mode>], or a container path alone.
func volume(o *Options, value string) error {
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil || len(fields) == 0 || value == "" {
		return errors.New("the form is <source>:<container path>[:<mode>]")
	}
	if !strings.Contains(value, ":") {
		if o.config.Volumes == nil {
			o.config.Volumes = make(map[string]struct{})
		}
		o.config.Volumes[value] = struct{}{}
		return nil
	}
	o.host.Binds = append(o.host.Binds, value)
	return nil
}
