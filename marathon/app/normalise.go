package app

import (
	"slices"
	"time"

	"stoa/marathon/id"
)

// Settings are the flags, and what the tree says about the app's place in it, that decide
// how a definition is completed and judged.
type Settings struct {
	// DefaultNetworkName names container networks without a name (--default_network_name).
	DefaultNetworkName string
	// MesosBridgeName is the network name that means bridge mode (--mesos_bridge_name).
	MesosBridgeName string
	// Features are the names given to --enable_features.
	Features []string
	// SanitizeAcceptedRoles drops accepted roles that make no sense instead of refusing
	// them (--deprecated_features sanitize_accepted_resource_roles).
	SanitizeAcceptedRoles bool
	// Roles says which roles the app may have here.
	Roles Roles
}

// Roles says which roles an app may have at its place in the tree.
type Roles struct {
	// Default is the role of an app that names none.
	Default string
	// Valid are all roles allowed.
	Valid []string
	// Previous is the role of the app as it is now; "" when there is none.
	Previous string
	// Force lets a resident app change its role.
	Force bool
}

func (s *Settings) enabled(feature string) bool { return slices.Contains(s.Features, feature) }

// Optional features by the names that --enable_features takes.
const (
	featureSecrets         = "secrets"
	featureExternalVolumes = "external_volumes"
	featureGPUs            = "gpu_resources"
)

// ConversionError says that a definition passed all rules and still cannot be made into an
// app: the original answers with its text and status 500.
type ConversionError struct{ Message string }

func (e *ConversionError) Error() string { return e.Message }

func conversionError(message string) error { return &ConversionError{message} }

// Normalise judges a complete definition and gives it in today's form: old keys
// translated, role, networks and ports filled in, ids absolute, taken relative to base
// (api/v2/AppHelpers.scala, appNormalization). Errors are *ValidationError and *ConversionError.
func (d *Definition) Normalise(base id.Path, s *Settings) (*Definition, error) {
	if err := d.validateOldKeys(); err != nil {
		return nil, err
	}
	fresh := *d
	if err := fresh.translateOldKeys(s); err != nil {
		return nil, err
	}
	fresh.fillRole(s)
	if err := fresh.validate(s); err != nil {
		return nil, err
	}
	if err := fresh.fillNetworks(s); err != nil {
		return nil, err
	}
	fresh.resolveIDs(base)
	return &fresh, nil
}

// NormaliseUpdate gives a partial definition in today's form (appUpdateNormalization).
func (d *Definition) NormaliseUpdate(base id.Path, s *Settings) (*Definition, error) {
	fresh := *d
	if err := fresh.translateOldUpdateKeys(s); err != nil {
		return nil, err
	}
	if fresh.Version != nil && !fresh.onlyVersion() {
		return nil, &ValidationError{[]Violation{{"/", "The 'version' field may only be combined with the 'id' field."}}}
	}
	if fresh.Networks != nil {
		fresh.Networks = namedNetworks(fresh.Networks, s)
		if unnamed(fresh.Networks) {
			return nil, conversionError(unnamedNetwork)
		}
	}
	fresh.Container = networkedContainer(fresh.Networks, fresh.Container)
	fresh.resolveIDs(base)
	return &fresh, nil
}

const unnamedNetwork = "container network name is not defined"

func (d *Definition) resolveIDs(base id.Path) {
	if d.ID != nil {
		absolute := id.Resolve(*d.ID, base).String()
		d.ID = &absolute
	}
	if d.Dependencies != nil {
		resolved := make([]string, len(d.Dependencies))
		for i, dependency := range d.Dependencies {
			resolved[i] = id.Resolve(dependency, base).String()
		}
		d.Dependencies = distinct(resolved, itself)
	}
}

// translateOldKeys does what AppNormalization.forDeprecated does.
func (d *Definition) translateOldKeys(s *Settings) error {
	fetch, err := translateURIs(d.URIs, d.Fetch)
	if err != nil {
		return err
	}
	given := d.Networks
	if len(given) == 0 {
		given = nil
	}
	networks, err := translateNetworks(d.IPAddress, d.Container, given, s)
	if err != nil {
		return err
	}
	notHost := hasOtherThanHost(networks)
	givenPorts := d.PortDefinitions
	if givenPorts == nil && d.Ports != nil {
		givenPorts = definePorts(d.Ports)
	}
	ports := givenPorts
	if notHost {
		ports = nil
	} else if ports == nil {
		ports = []PortDefinition{{Name: "default", Protocol: TCP}}
	}
	container := d.Container
	if container == nil && d.IPAddress != nil {
		container = &ContainerDefinition{Type: ContainerMesos}
	}
	if container != nil {
		if container, err = translateContainer(container, d.IPAddress); err != nil {
			return err
		}
		fillMappings(container, notHost, len(givenPorts))
	}
	// The original looks at the ports as they were given here.
	if len(d.PortDefinitions) > 0 || container != nil && len(container.PortMappings) > 0 {
		d.HealthChecks = indexedChecks(d.HealthChecks)
	}
	if d.Residency == nil && d.Container != nil && hasPersistent(d.Container.Volumes) {
		d.Residency = &Residency{3600, "WAIT_FOREVER"}
	}
	absolute := id.Resolve(*d.ID, id.Root).String()
	d.ID = &absolute
	d.Fetch, d.URIs = fetch, nil
	d.Networks, d.IPAddress = networks, nil
	d.Container = container
	d.PortDefinitions, d.Ports = ports, nil
	d.ReadinessChecks = readyCodes(d.ReadinessChecks)
	return nil
}

// translateOldUpdateKeys does what AppNormalization.forDeprecatedUpdates does: no defaults.
func (d *Definition) translateOldUpdateKeys(s *Settings) error {
	fetch, err := translateURIs(d.URIs, d.Fetch)
	if err != nil {
		return err
	}
	networks, err := translateNetworks(d.IPAddress, d.Container, d.Networks, s)
	if err != nil {
		return err
	}
	container := d.Container
	if container == nil && d.IPAddress != nil {
		container = &ContainerDefinition{Type: ContainerMesos}
	}
	if container != nil {
		if container, err = translateContainer(container, d.IPAddress); err != nil {
			return err
		}
	}
	if d.PortDefinitions == nil && d.Ports != nil {
		d.PortDefinitions = definePorts(d.Ports)
	}
	d.Fetch, d.URIs = fetch, nil
	d.Networks, d.IPAddress = networks, nil
	d.Container, d.Ports = container, nil
	d.HealthChecks = indexedChecks(d.HealthChecks)
	d.ReadinessChecks = readyCodes(d.ReadinessChecks)
	return nil
}

func translateURIs(uris []string, fetch []FetchURI) ([]FetchURI, error) {
	if len(uris) == 0 {
		return fetch, nil
	}
	if len(fetch) > 0 {
		return nil, conversionError("cannot specify both uris and fetch fields")
	}
	translated := make([]FetchURI, len(uris))
	for i, uri := range uris {
		translated[i] = FetchURI{URI: uri, Extract: isArchive(uri)}
	}
	return translated, nil
}

func definePorts(ports []int) []PortDefinition {
	definitions := make([]PortDefinition, len(ports))
	for i, port := range ports {
		definitions[i] = PortDefinition{Port: port, Protocol: TCP}
	}
	return definitions
}

// indexedChecks gives checks that name no port the first one.
func indexedChecks(checks []HealthCheckDefinition) []HealthCheckDefinition {
	fresh := slices.Clone(checks)
	for i := range fresh {
		if check := &fresh[i]; check.Protocol != HealthCommand && check.Port == nil && check.PortIndex == nil {
			check.PortIndex = new(int)
		}
	}
	return distinct(fresh, HealthCheckDefinition.key)
}

func readyCodes(checks []ReadinessCheckDefinition) []ReadinessCheckDefinition {
	fresh := slices.Clone(checks)
	for i := range fresh {
		if fresh[i].HTTPStatusCodesForReady == nil {
			fresh[i].HTTPStatusCodesForReady = []int{200}
		}
	}
	return fresh
}

func hasPersistent(volumes []VolumeDefinition) bool {
	return slices.ContainsFunc(volumes, func(v VolumeDefinition) bool { return v.Persistent != nil })
}

func hasExternal(volumes []VolumeDefinition) bool {
	return slices.ContainsFunc(volumes, func(v VolumeDefinition) bool { return v.External != nil })
}

// fillRole does what AppNormalization.forPreValidation does.
func (d *Definition) fillRole(s *Settings) {
	setDefault(&d.Role, s.Roles.Default)
	if !s.SanitizeAcceptedRoles || d.AcceptedResourceRoles == nil {
		return
	}
	kept := []string{}
	for _, role := range d.AcceptedResourceRoles {
		if role == "*" || role == *d.Role {
			kept = append(kept, role)
		}
	}
	if len(kept) == 0 {
		kept = []string{"*"}
	}
	d.AcceptedResourceRoles = kept
}

// fillNetworks does what AppNormalization.forPostValidation does.
func (d *Definition) fillNetworks(s *Settings) error {
	networks := namedNetworks(d.Networks, s)
	if len(networks) == 0 {
		networks = []NetworkDefinition{{Mode: NetworkHost}}
	}
	if unnamed(networks) {
		return conversionError(unnamedNetwork)
	}
	d.Networks = networks
	d.Container = networkedContainer(networks, d.Container)
	if d.UnreachableStrategy == nil {
		d.UnreachableStrategy = &UnreachableStrategy{Disabled: d.Container != nil && hasPersistent(d.Container.Volumes)}
	}
	if hasOtherThanHost(networks) {
		d.RequirePorts = new(bool)
	}
	return nil
}

func seconds[T int | int64](count T) time.Duration {
	// Counts beyond what a Duration holds, about 292 years, stay at its end.
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(min(int64(count), most)) * time.Second
}
