package engine

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sys/unix"

	"stoa/internal/mesos/mesospb"
)

const (
	// sharesPerCPU, minShares, minMemory and the CFS times are those of
	// src/slave/containerizer/mesos/isolators/cgroups/constants.hpp.
	sharesPerCPU = 1024
	minShares    = 2
	minMemory    = 32 << 20
	cfsPeriod    = 100_000 // µs
	minQuota     = 1000    // µs
)

// Request is what Mesos says of a container.
type Request struct {
	// Name of the container: mesos-<container id>.
	Name      string
	Container *mesospb.ContainerInfo
	Command   *mesospb.CommandInfo
	// Sandbox is the sandbox on the host, MappedDirectory its place in the container.
	Sandbox, MappedDirectory string
	// Resources of the container; Limits by resource name, possibly infinite.
	Resources []*mesospb.Resource
	Limits    map[string]*mesospb.Value_Scalar
	// Environment goes into the container before the command's, which does not replace it.
	Environment map[string]string
	// Volumes are further host:container:mode bindings, such as persistent volumes.
	Volumes []string
	// EnableCFS is --cgroups_enable_cfs.
	EnableCFS bool
	// DNS is --default_container_dns; nil for none.
	DNS *DefaultDNS
}

// Options describe a container to the engine.
type Options struct {
	name    string
	config  *container.Config
	host    *container.HostConfig
	network *network.NetworkingConfig
}

// Name is the container's name.
func (o *Options) Name() string { return o.name }

// NewOptions translates a request (src/docker/docker.cpp, Docker::RunOptions::create and
// Docker::run) and gives the original's errors.
func NewOptions(r Request) (*Options, error) {
	docker := r.Container.GetDocker()
	if docker == nil {
		return nil, errors.New("No docker info found in container info")
	}
	o := &Options{
		name: r.Name,
		config: &container.Config{
			Image:        docker.GetImage(),
			AttachStdout: true,
			AttachStderr: true,
			Labels:       map[string]string{},
		},
		host:    &container.HostConfig{Privileged: docker.GetPrivileged()},
		network: &network.NetworkingConfig{},
	}
	o.host.RestartPolicy.Name = container.RestartPolicyDisabled
	if err := o.limit(r); err != nil {
		return nil, err
	}
	o.environment(r)
	if err := o.volumes(r); err != nil {
		return nil, err
	}
	mode, err := networkMode(r.Container)
	if err != nil {
		return nil, err
	}
	if r.Container.Hostname != nil {
		if mode == "host" {
			return nil, errors.New("Unable to set hostname with host network mode")
		}
		o.config.Hostname = r.Container.GetHostname()
	}
	if err := o.ports(r, mode); err != nil {
		return nil, err
	}
	o.host.NetworkMode = container.NetworkMode(mode)
	parameters, err := o.parameters(docker.GetParameters())
	if err != nil {
		return nil, err
	}
	if dns := r.DNS.forNetwork(docker.GetNetwork(), string(o.host.NetworkMode)); dns != nil && !parameters.dns {
		o.host.DNS, o.host.DNSSearch, o.host.DNSOptions = dns.Nameservers, dns.Search, dns.Options
	}
	return o, o.command(r.Command)
}

func cpuShares(cpus float64) int64 { return max(int64(sharesPerCPU*cpus), minShares) }

func cpuQuota(cpus float64) int64 { return max(int64(cfsPeriod*cpus), minQuota) }

func (o *Options) limit(r Request) error {
	cpus, haveCPUs := sum(r.Resources, "cpus")
	mem, haveMem := sum(r.Resources, "mem")
	request := int64(mem * (1 << 20))
	if haveCPUs {
		o.host.CPUShares = cpuShares(cpus)
	}
	if limit, ok := r.Limits["cpus"]; ok {
		if !math.IsInf(limit.GetValue(), 0) {
			o.host.CPUQuota = cpuQuota(limit.GetValue())
		}
	} else if r.EnableCFS && haveCPUs {
		o.host.CPUQuota = cpuQuota(cpus)
	}
	limit, limited := r.Limits["mem"]
	switch {
	case limited:
		infinite := math.IsInf(limit.GetValue(), 0)
		bytes := int64(0)
		if !infinite {
			bytes = int64(limit.GetValue()) << 20
			o.host.Memory = max(bytes, minMemory)
		}
		if haveMem {
			o.host.MemoryReservation = max(request, minMemory)
			if infinite || request < bytes {
				total, err := totalMemory()
				if err != nil {
					return fmt.Errorf("Failed to calculate OOM score adjustment: %w", err)
				}
				o.host.OomScoreAdj = int(1000 - 1000*request/total)
			}
		}
	case haveMem:
		o.host.Memory = max(request, minMemory)
	}
	return nil
}

func totalMemory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return int64(info.Totalram) * int64(info.Unit), nil
}

// sum adds up a scalar resource in thousandths and tells whether there is any.
func sum(resources []*mesospb.Resource, name string) (float64, bool) {
	var thousandths int64
	found := false
	for _, resource := range resources {
		if resource.GetName() == name {
			found = true
			thousandths += int64(math.Round(resource.GetScalar().GetValue() * 1000))
		}
	}
	return float64(thousandths) / 1000, found
}

func (o *Options) environment(r Request) {
	env := make(map[string]string)
	for name, value := range r.Environment {
		env[name] = value
	}
	for _, variable := range r.Command.GetEnvironment().GetVariables() {
		if _, ok := r.Environment[variable.GetName()]; ok || variable.GetType() == mesospb.Environment_Variable_SECRET {
			continue
		}
		env[variable.GetName()] = variable.GetValue()
	}
	env["MESOS_SANDBOX"] = r.MappedDirectory
	env["MESOS_CONTAINER_NAME"] = r.Name
	if len(r.Resources) > 0 {
		env["MESOS_ALLOCATION_ROLE"] = r.Resources[0].GetAllocationInfo().GetRole()
	}
	for name, value := range env {
		o.config.Env = append(o.config.Env, name+"="+value)
	}
	slices.Sort(o.config.Env)
}

func (o *Options) volumes(r Request) error {
	driver := ""
	for _, volume := range r.Container.GetVolumes() {
		place := volume.GetContainerPath()
		absolute := path.IsAbs(place)
		if !absolute {
			place = path.Join(r.MappedDirectory, place)
		}
		var source string
		switch {
		case volume.HostPath != nil:
			source = volume.GetHostPath()
			switch {
			case path.IsAbs(source):
			case !absolute:
				return fmt.Errorf("Both host_path '%s' and container_path '%s' of a volume are relative",
					volume.GetHostPath(), volume.GetContainerPath())
			case r.Container.GetDocker().VolumeDriver == nil:
				source = path.Join(r.Sandbox, source)
			}
		case volume.Source != nil:
			if volume.GetSource().GetType() != mesospb.Volume_Source_DOCKER_VOLUME {
				continue // the docker containerizer knows no other kind
			}
			source = volume.GetSource().GetDockerVolume().GetName()
			if named := volume.GetSource().GetDockerVolume().GetDriver(); named != "" {
				if driver != "" && driver != named {
					return errors.New("Only one volume driver is supported")
				}
				driver = named
			}
		default:
			return errors.New("Host path or volume source is required")
		}
		mode, err := volumeMode(volume.GetMode())
		if err != nil {
			return err
		}
		o.host.Binds = append(o.host.Binds, source+":"+place+":"+mode)
	}
	o.host.Binds = append(o.host.Binds, r.Sandbox+":"+r.MappedDirectory)
	o.host.Binds = append(o.host.Binds, r.Volumes...)
	if named := r.Container.GetDocker().GetVolumeDriver(); named != "" {
		if driver != "" && driver != named {
			return errors.New("Only one volume driver per task is supported")
		}
		driver = named
	}
	o.host.VolumeDriver = driver
	return nil
}

func volumeMode(mode mesospb.Volume_Mode) (string, error) {
	switch mode {
	case mesospb.Volume_RW:
		return "rw", nil
	case mesospb.Volume_RO:
		return "ro", nil
	}
	return "", errors.New("Unsupported volume mode")
}

func networkMode(info *mesospb.ContainerInfo) (string, error) {
	switch kind := info.GetDocker().GetNetwork(); kind {
	case mesospb.ContainerInfo_DockerInfo_HOST:
		return "host", nil
	case mesospb.ContainerInfo_DockerInfo_BRIDGE:
		return "bridge", nil
	case mesospb.ContainerInfo_DockerInfo_NONE:
		return "none", nil
	case mesospb.ContainerInfo_DockerInfo_USER:
		infos := info.GetNetworkInfos()
		switch {
		case len(infos) == 0:
			return "", errors.New("No network info found in container info")
		case len(infos) > 1:
			return "", errors.New("Only a single network can be defined in Docker run")
		case infos[0].Name == nil:
			return "", errors.New("No network name found in network info")
		}
		return infos[0].GetName(), nil
	default:
		return "", fmt.Errorf("Unsupported Network mode: %s", kind)
	}
}

func (o *Options) ports(r Request, mode string) error {
	mappings := r.Container.GetDocker().GetPortMappings()
	if len(mappings) == 0 {
		return nil
	}
	if mode == "host" || mode == "none" {
		return errors.New("Port mappings are only supported for bridge and user-defined networks")
	}
	if len(r.Resources) == 0 {
		return errors.New("Port mappings require resources")
	}
	var ranges []*mesospb.Value_Range
	for _, resource := range r.Resources {
		if resource.GetName() == "ports" {
			ranges = append(ranges, resource.GetRanges().GetRange()...)
		}
	}
	if len(ranges) == 0 {
		return errors.New("Port mappings require port resources")
	}
	o.config.ExposedPorts, o.host.PortBindings = nat.PortSet{}, nat.PortMap{}
	for _, mapping := range mappings {
		host := uint64(mapping.GetHostPort())
		if !slices.ContainsFunc(ranges, func(one *mesospb.Value_Range) bool { return host >= one.GetBegin() && host <= one.GetEnd() }) {
			return fmt.Errorf("Port [%d] not included in resources", host)
		}
		protocol := strings.ToLower(mapping.GetProtocol())
		if protocol == "" {
			protocol = "tcp"
		}
		for _, one := range strings.Split(protocol, ",") {
			port, err := nat.NewPort(one, strconv.FormatUint(uint64(mapping.GetContainerPort()), 10))
			if err != nil {
				return err
			}
			o.config.ExposedPorts[port] = struct{}{}
			o.host.PortBindings[port] = append(o.host.PortBindings[port], nat.PortBinding{HostPort: strconv.FormatUint(host, 10)})
		}
	}
	return nil
}

// command sets what runs: shell commands replace the image's entrypoint, others are its arguments.
func (o *Options) command(command *mesospb.CommandInfo) error {
	if command.GetShell() {
		if command.Value == nil {
			return errors.New("Shell specified but no command value provided")
		}
		o.config.Entrypoint = []string{"/bin/sh"}
		o.config.Cmd = []string{"-c", command.GetValue()}
		return nil
	}
	if command.Value != nil {
		o.config.Cmd = append(o.config.Cmd, command.GetValue())
	}
	o.config.Cmd = append(o.config.Cmd, command.GetArguments()...)
	return nil
}

// readFile is for parameters that name a file of the agent's machine.
func readFile(name string) (string, error) {
	data, err := os.ReadFile(name)
	return string(data), err
}
