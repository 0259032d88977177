package app

import (
	"slices"
	"strings"
	"unicode/utf16"
)

// validateOldKeys judges what only old keys can get wrong (AppValidation.validateOldAppAPI).
func (d *Definition) validateOldKeys() error {
	var r Rules
	docker := d.docker()
	if docker != nil {
		path := "/container/docker"
		r.Must(docker.Credential == nil, path+"/credential", "must be empty")
		if d.Container.Type == ContainerMesos {
			r.Must(docker.Network == nil, path+"/network", "must be empty")
			r.Must(len(docker.Parameters) == 0, path+"/parameters", "must be empty")
			r.Must(docker.PortMappings == nil, path+"/portMappings", "must be empty")
		}
		r.portNames(mappingNames(docker.PortMappings), path+"/portMappings")
	}
	r.Must(d.IPAddress == nil || d.IPAddress.Discovery == nil || d.Container == nil || d.Container.Type != ContainerDocker,
		"/ipAddress", "ipAddress/discovery is not allowed for Docker containers")
	for i, uri := range d.URIs {
		r.Must(validURI(uri), at("/uris", i), badURI)
	}
	r.Must(len(d.URIs) == 0 || len(d.Fetch) == 0, "/uris", "may not be set in conjunction with fetch")
	hasNetworks := len(d.Networks) > 0
	r.Must(docker == nil || docker.Network == nil || !hasNetworks, "/", "must not specify both container.docker.network and networks")
	r.Must(d.IPAddress == nil || !hasNetworks, "/", "must not specify both networks and ipAddress")
	r.Must(unique(slices.DeleteFunc(slices.Clone(d.Ports), func(port int) bool { return port == 0 })), "/", "ports must be unique")
	r.Must(d.IPAddress == nil || len(d.Ports) == 0 && len(d.PortDefinitions) == 0, "/", "cannot specify both an IP address and port")
	if d.Ports != nil && d.PortDefinitions != nil {
		same := slices.EqualFunc(d.Ports, d.PortDefinitions, func(port int, definition PortDefinition) bool { return port == definition.Port })
		r.Must(same, "/", "cannot specify both ports and port definitions")
	}
	return r.Err()
}

const badURI = "URI has invalid syntax."

func (d *Definition) docker() *DockerDefinition {
	if d.Container == nil {
		return nil
	}
	return d.Container.Docker
}

func mappingNames(mappings []PortMapping) []string {
	names := make([]string, len(mappings))
	for i := range mappings {
		names[i] = mappings[i].Name
	}
	return names
}

const needsCommand = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."

// validate judges a definition in today's form (AppValidation.validateCanonicalAppAPI).
func (d *Definition) validate(s *Settings) error {
	var r Rules
	if d.Container != nil {
		d.validateContainer(&r, s)
	}
	r.portDefinitions(d.PortDefinitions, "/portDefinitions")
	cmd, args := d.Cmd != nil, len(d.Args) > 0
	container := d.Container != nil && (d.Container.Docker != nil || d.Container.Type == ContainerMesos)
	r.Must(cmd != args || !(cmd && args) && container, "/", needsCommand)
	d.validateHealthChecks(&r)
	for i := range d.Fetch {
		r.Must(validURI(d.Fetch[i].URI), at("/fetch", i)+"/uri", badURI)
	}
	if limits := d.ResourceLimits; limits != nil {
		r.limit(limits.CPUs, *d.CPUs, "/resourceLimits/cpus")
		r.limit(limits.Mem, *d.Mem, "/resourceLimits/mem")
	}
	d.validateSecrets(&r, s)
	if d.AcceptedResourceRoles != nil {
		r.acceptedRoles(d.AcceptedResourceRoles, d.Residency != nil, "/acceptedResourceRoles")
	}
	if *d.GPUs > 0 {
		r.Must(d.Container == nil || d.Container.Type != ContainerDocker, "/", "GPU resources only work with the Mesos containerizer")
		r.mustBeEnabled(s, featureGPUs, "/")
	}
	r.migrationLabels(d.Labels)
	d.validateReadiness(&r)
	value, _ := d.Labels.Get(SingleInstanceLabel)
	single := value == "true"
	r.Must(!single || *d.Instances <= 1, "/", "Single instance app may only have one instance")
	if d.UpgradeStrategy != nil {
		if single {
			r.upgradeForSingle(d.UpgradeStrategy, "/upgradeStrategy")
		}
		if d.Residency != nil {
			r.upgradeForResident(d.UpgradeStrategy, "/upgradeStrategy")
		}
	}
	containerNetworks := 0
	for i := range d.Networks {
		if d.Networks[i].Mode == NetworkContainer {
			containerNetworks++
		}
	}
	r.Must(d.Container == nil || d.Container.Type != ContainerDocker || containerNetworks <= 1, "/",
		"may only specify a single container network when using the Docker container engine")
	r.Must(d.Residency == nil || d.UnreachableStrategy == nil || d.UnreachableStrategy.Disabled, "/",
		"unreachableStrategy must be disabled for resident tasks")
	for i, constraint := range d.Constraints {
		if broken := brokenConstraint(constraint); broken != "" {
			r.Break(at("/constraints", i), broken)
		}
	}
	d.validateNetworks(&r)
	d.validateRole(&r, s)
	d.validateExternal(&r)

	r.PathID(*d.ID, "/id")
	r.Must(*d.ID != "/", "/id", "Path must contain at least one path element")
	for i, dependency := range d.Dependencies {
		r.PathID(dependency, at("/dependencies", i))
	}
	r.Must(s.DefaultNetworkName != "" || !unnamed(d.Networks), "/networks",
		"Network name must be specified when container network is selected.")
	r.Must(*d.ID != "/", "/", "must not be root")
	r.Must(d.Cmd == nil || len(utf16.Encode([]rune(*d.Cmd))) > 1, "/", "must not be an empty string")
	return r.Err()
}

func (r *Rules) limit(limit *LimitDefinition, requested float64, path string) {
	switch {
	case limit == nil:
	case limit.Word != nil:
		r.Must(*limit.Word == "unlimited", path, "'"+*limit.Word+"' is an invalid resource limit. It must be 'unlimited' or a number")
	case limit.Number < requested:
		text := strings.TrimSuffix(strings.TrimPrefix(got(requested, ""), "got "), ", expected ")
		r.Break(path, "resource limit must be greater than or equal to requested resource ("+text+")")
	}
}

func (d *Definition) validateSecrets(r *Rules, s *Settings) {
	if len(d.Secrets) > 0 {
		r.mustBeEnabled(s, featureSecrets, "/secrets")
	}
	if s.enabled(featureSecrets) {
		for i, secret := range d.Secrets {
			r.Must(secret.Key != "", at("/secrets/keys", i), "must not be empty")
		}
	}
	references := false
	for i, variable := range d.Env {
		r.Must(variable.Key != "", at("/env/keys", i), "must not be empty")
		references = references || variable.Value.IsSecret
	}
	r.Must(!references || s.enabled(featureSecrets), "/env",
		"use of secret-references in the environment requires the secrets feature to be enabled")
	secrets := make(map[string]struct{}, len(d.Secrets))
	for _, secret := range d.Secrets {
		secrets[secret.Key] = struct{}{}
	}
	for _, variable := range d.Env {
		if _, defined := secrets[variable.Value.Value]; variable.Value.IsSecret && !defined {
			r.Break("/env/"+variable.Key+"/secret", "references an undefined secret")
		}
	}
}

func (d *Definition) validateRole(r *Rules, s *Settings) {
	r.Must(slices.Contains(s.Roles.Valid, *d.Role), "/role",
		"got "+*d.Role+", expected one of: ["+strings.Join(s.Roles.Valid, ", ")+"]")
	r.rolesFor(d.AcceptedResourceRoles, *d.Role, "/acceptedResourceRoles")
}

func (d *Definition) validateNetworks(r *Rules) {
	const path = "/networks"
	counts := map[NetworkMode]int{}
	unnamedContainers := 0
	var names []string
	hostAdorned, bridgeNamed := false, false
	for i := range d.Networks {
		network := &d.Networks[i]
		counts[network.Mode]++
		switch network.Mode {
		case NetworkHost:
			hostAdorned = hostAdorned || network.Name != nil || len(network.Labels) > 0
		case NetworkBridge:
			bridgeNamed = bridgeNamed || network.Name != nil
		default:
			if network.Name == nil {
				unnamedContainers++
			}
		}
		if network.Name != nil {
			names = append(names, *network.Name)
		}
	}
	r.Must(!hostAdorned, path, "Host networks may not have names or labels")
	r.Must(!bridgeNamed, path, "Bridge networks may not have names")
	r.Must(unnamedContainers < 2 && unique(names), path, "Duplicate networks are not allowed")
	host, bridge, container := counts[NetworkHost], counts[NetworkBridge], counts[NetworkContainer]
	r.Must(host <= 1 && bridge == 0 && container == 0 || host == 0 && bridge <= 1 && container == 0 || host == 0 && bridge == 0,
		path, "May specify a single host network, single bridge network, or else 1-to-n container networks")
}
