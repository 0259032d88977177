package validation

import (
	"bytes"
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
)

// CommandInfo checks a command's environment.
func CommandInfo(command *mesospb.CommandInfo) error {
	for _, v := range command.GetEnvironment().GetVariables() {
		if err := variable(v); err != nil {
			return err
		}
	}
	return nil
}

func variable(v *mesospb.Environment_Variable) error {
	name := v.GetName()
	switch v.GetType() {
	case mesospb.Environment_Variable_VALUE:
		if v.Value == nil {
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must have a value set", name)
		}
		if v.Secret != nil {
			return fmt.Errorf("Environment variable '%s' of type 'VALUE' must not have a secret set", name)
		}
	case mesospb.Environment_Variable_SECRET:
		if v.Secret == nil {
			return fmt.Errorf("Environment variable '%s' of type 'SECRET' must have a secret set", name)
		}
		if v.Value != nil {
			return fmt.Errorf("Environment variable '%s' of type 'SECRET' must not have a value set", name)
		}
		if err := secret(v.Secret); err != nil {
			return fmt.Errorf("Environment variable '%s' specifies an invalid secret: %w", name, err)
		}
		if bytes.IndexByte(v.Secret.GetValue().GetData(), 0) >= 0 {
			return fmt.Errorf("Environment variable '%s' specifies a secret containing null bytes, which is not allowed in the environment", name)
		}
	default:
		return errors.New("Environment variable of type 'UNKNOWN' is not allowed")
	}
	return nil
}

func secret(s *mesospb.Secret) error {
	switch s.GetType() {
	case mesospb.Secret_REFERENCE:
		if s.Reference == nil {
			return errors.New("Secret of type REFERENCE must have the 'reference' field set")
		}
		if s.Value != nil {
			return fmt.Errorf("Secret '%s' of type REFERENCE must not have the 'value' field set", s.Reference.GetName())
		}
	case mesospb.Secret_VALUE:
		if s.Value == nil {
			return errors.New("Secret of type VALUE must have the 'value' field set")
		}
		if s.Reference != nil {
			return errors.New("Secret of type VALUE must not have the 'reference' field set")
		}
	}
	return nil
}

// ContainerInfo checks a container's volumes and Docker settings.
func ContainerInfo(c *mesospb.ContainerInfo) error {
	for _, v := range c.GetVolumes() {
		if err := volume(v); err != nil {
			return wrap("Invalid volume: ", err)
		}
	}
	if c.GetType() != mesospb.ContainerInfo_DOCKER {
		return nil
	}
	if c.Docker == nil {
		return errors.New("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
	}
	for _, p := range c.Docker.GetParameters() {
		if p.GetKey() == "name" {
			return errors.New("Parameter in DockerInfo must not be 'name'")
		}
	}
	return nil
}

func volume(v *mesospb.Volume) error {
	n := 0
	for _, set := range []bool{v.HostPath != nil, v.Image != nil, v.Source != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("Only one of them should be set: 'host_path', 'image' and 'source'")
	}
	s := v.Source
	if s == nil {
		return nil
	}
	unset := func(field, kind string) error {
		return fmt.Errorf("'source.%s' is not set for %s volume", field, kind)
	}
	switch s.GetType() {
	case mesospb.Volume_Source_DOCKER_VOLUME:
		if s.DockerVolume == nil {
			return unset("docker_volume", "DOCKER_VOLUME")
		}
	case mesospb.Volume_Source_HOST_PATH:
		if s.HostPath == nil {
			return unset("host_path", "HOST_PATH")
		}
	case mesospb.Volume_Source_SANDBOX_PATH:
		if s.SandboxPath == nil {
			return unset("sandbox_path", "SANDBOX_PATH")
		}
	case mesospb.Volume_Source_SECRET:
		if s.Secret == nil {
			return unset("secret", "SECRET")
		}
	case mesospb.Volume_Source_CSI_VOLUME:
		if s.CsiVolume == nil {
			return unset("csi_volume", "CSI")
		}
		if s.CsiVolume.StaticProvisioning == nil {
			return unset("csi_volume.static_provisioning", "CSI")
		}
	default:
		return errors.New("'source.type' is unknown")
	}
	return nil
}
