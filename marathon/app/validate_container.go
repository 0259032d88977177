package app

import (
	"regexp"
	"slices"
	"strings"
)

// validateContainer judges the container of a definition in today's form (AppValidation.validContainer).
func (d *Definition) validateContainer(r *Rules, s *Settings) {
	container := d.Container
	d.validateMappings(r)
	var names []string
	secretVolumes := false
	for i := range container.Volumes {
		if external := container.Volumes[i].External; external != nil && external.Name != nil {
			names = append(names, *external.Name)
		}
		secretVolumes = secretVolumes || container.Volumes[i].Secret != nil
	}
	r.Must(unique(names), "/container/volumes", "Volume names must be unique")
	for i := range container.Volumes {
		d.validateVolume(r, s, &container.Volumes[i], at("/container/volumes", i))
	}
	if secretVolumes && !s.enabled(featureSecrets) {
		r.Break("/container/volumes", "must be empty")
		r.Break("/container/volumes", featureOff(featureSecrets))
	}
	docker, path := container.Docker, "/container/docker"
	if docker == nil {
		r.Must(container.Type != ContainerDocker, path, "not defined")
		return
	}
	if container.Type == ContainerDocker {
		r.Must(docker.PullSecret == nil, path+"/pullConfig", "pullConfig is not supported with Docker containerizer")
		return
	}
	if docker.PullSecret == nil {
		return
	}
	if !s.enabled(featureSecrets) {
		r.Break(path+"/pullConfig", "must be empty")
		r.Break(path+"/pullConfig", featureOff(featureSecrets))
	}
	_, defined := d.Secrets.Get(*docker.PullSecret)
	r.Must(defined, path+"/pullConfig", "pullConfig.secret must refer to an existing secret")
}

func (d *Definition) validateMappings(r *Rules) {
	const path = "/container/portMappings"
	mappings := d.Container.PortMappings
	r.portNames(mappingNames(mappings), path)
	containers := 0
	var networks []string
	known := map[string]bool{}
	for i := range d.Networks {
		if d.Networks[i].Mode == NetworkContainer {
			containers++
		}
		if d.Networks[i].Name != nil {
			networks = append(networks, *d.Networks[i].Name)
			known[*d.Networks[i].Name] = true
		}
	}
	for i := range mappings {
		r.Must(containers <= 1 || mappings[i].HostPort == nil || len(mappings[i].NetworkNames) == 1, at(path, i),
			"networkNames must be a single item list when hostPort is specified and more than 1 container network is defined")
	}
	for i := range mappings {
		for j, name := range mappings[i].NetworkNames {
			if !known[name] {
				r.Break(at(at(path, i)+"/networkNames", j), "is not one of ("+strings.Join(networks, ",")+")")
			}
		}
	}
}

func (d *Definition) validateVolume(r *Rules, s *Settings, volume *VolumeDefinition, path string) {
	switch {
	case volume.Persistent != nil:
		r.Must(volume.ContainerPath != "." && volume.ContainerPath != "..", path+"/containerPath", "can not be one of (.,..)")
		r.Must(!strings.Contains(volume.ContainerPath, "/"), path+"/containerPath", `value must not contain "/"`)
		r.Must(!volume.ReadOnly, path+"/mode", "does not equal RW")
		volume.Persistent.validate(r, path+"/persistent")
	case volume.External != nil:
		volume.External.validate(r, path+"/external")
		r.mustBeEnabled(s, featureExternalVolumes, path)
	case volume.Secret != nil:
		_, defined := d.Secrets.Get(*volume.Secret)
		r.Must(defined, path, "volume.secret must refer to an existing secret")
	}
}

func (p *PersistentDefinition) validate(r *Rules, path string) {
	r.Must(p.Size > 0, path+"/size", gotInt(p.Size, "more than 0"))
	for i, constraint := range p.Constraints {
		if broken := brokenVolumeConstraint(constraint); broken != "" {
			r.Break(at(path+"/constraints", i), broken)
		}
	}
	r.Must(p.MaxSize == nil || p.Type != nil && *p.Type == DiskMount, path, "Only mount volumes can have maxSize")
	root := p.Type == nil || *p.Type == DiskRoot
	r.Must(!root || len(p.Constraints) == 0, path, "Constraints on root volumes are not supported")
	r.Must(p.MaxSize == nil || *p.MaxSize > p.Size, path, "Max size must be larger than size")
}

func brokenVolumeConstraint(constraint []string) string {
	if len(constraint) == 0 {
		return "Missing field and operator"
	}
	if len(constraint) < 3 || constraint[0] != "path" {
		return "Unsupported constraint " + strings.Join(constraint, ",")
	}
	switch Operator(constraint[1]) {
	case Like, Unlike:
		if _, err := regexp.Compile(constraint[2]); err != nil {
			return "Invalid regular expression"
		}
		return ""
	case Unique, Cluster, GroupBy, MaxPer, Is:
		return "Operator must be one of LIKE, UNLIKE"
	default:
		return "unknown constraint operator " + constraint[1]
	}
}

const (
	dvdi             = "dvdi"
	dvdiDriverOption = "dvdi/driver"
)

var (
	providerPattern = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$`)
	optionPattern   = regexp.MustCompile(`^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?/[A-Za-z0-9](?:[-A-Za-z0-9\._:]*[A-Za-z0-9])?$`)
)

func (e *ExternalDefinition) validate(r *Rules, path string) {
	r.Must(e.Name != nil, path+"/name", "must not be empty")
	switch {
	case e.Provider == nil:
		r.Break(path+"/provider", "not defined")
	default:
		r.Must(providerPattern.MatchString(*e.Provider), path+"/provider", "must match regular expression '"+providerPattern.String()+"'")
		r.Must(*e.Provider == dvdi, path+"/provider", "is unknown provider")
	}
	for i, option := range e.Options {
		r.Must(optionPattern.MatchString(option.Key), at(path+"/options/keys", i), "must match regular expression '"+optionPattern.String()+"'")
	}
	if e.Provider != nil && *e.Provider == dvdi {
		driver, _ := e.Options.Get(dvdiDriverOption)
		r.Must(driver != "", path+"/options", `"`+dvdiDriverOption+`" not defined`)
	}
}

// validateExternal judges an app by the rules of its volumes' provider
// (core/externalvolume/impl/providers/DVDIProvider.scala).
func (d *Definition) validateExternal(r *Rules) {
	if d.Container == nil {
		return
	}
	var names []string
	used := false
	for i := range d.Container.Volumes {
		if external := d.Container.Volumes[i].External; external != nil && external.Provider != nil && *external.Provider == dvdi {
			used = true
			if external.Name != nil {
				names = append(names, *external.Name)
			}
		}
	}
	if !used {
		return
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			r.Break("/", "Requested DVDI volume '"+name+"' is declared more than once within app "+*d.ID)
		}
		seen[name] = true
	}
	r.Must(*d.Instances <= 1, "/", "Number of instances is limited to 1 when declaring DVDI volumes in app ["+*d.ID+"]")
	index := 0
	for i := range d.Container.Volumes {
		volume := &d.Container.Volumes[i]
		if volume.External == nil {
			continue
		}
		path := at("/container/volumes", index)
		index++
		if d.Container.Type == ContainerMesos {
			r.Must(!volume.ReadOnly, path+"/mode", "does not equal RW")
		} else {
			others := slices.ContainsFunc(volume.External.Options, func(e Entry[string]) bool { return e.Key != dvdiDriverOption })
			r.Must(!others, path+"/external/options", "must only contain "+dvdiDriverOption)
			r.Must(volume.External.Size == nil, path+"/external/size", "must be undefined for Docker containers")
		}
		r.Must(volume.ContainerPath != "." && volume.ContainerPath != "..", path+"/containerPath", "can not be one of (.,..)")
	}
	if d.UpgradeStrategy != nil {
		r.upgradeForResident(d.UpgradeStrategy, "/upgradeStrategy")
	}
}
