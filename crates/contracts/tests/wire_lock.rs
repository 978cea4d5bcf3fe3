//! Other programs already use these names and numbers. `proto/wire.lock` lists every one of them.
//! Fields, values and methods may be added to the protos; a listed line that is no longer true
//! breaks a caller.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::BTreeSet;

#[test]
fn every_locked_name_and_number_exists() {
    let set =
        FileDescriptorSet::decode(contracts::FILE_DESCRIPTOR_SET).expect("descriptors of our own build");
    let there = lines(&set);
    let lock = include_str!("../proto/wire.lock");
    let missing: Vec<_> = lock.lines().filter(|line| !there.contains(*line)).collect();
    assert!(missing.is_empty(), "changed or gone:\n{}", missing.join("\n"));
    assert!(lock.lines().count() > 400, "the list is whole");
}

/// Server reflection needs the descriptors of everything that is imported.
#[test]
fn the_descriptors_are_self_contained() {
    let set =
        FileDescriptorSet::decode(contracts::FILE_DESCRIPTOR_SET).expect("descriptors of our own build");
    let files: BTreeSet<_> = set.file.iter().map(|file| file.name()).collect();
    for file in &set.file {
        for import in &file.dependency {
            assert!(files.contains(import.as_str()), "{} imports {import}", file.name());
        }
    }
    assert!(files.contains("google/protobuf/timestamp.proto"));
}

fn lines(set: &FileDescriptorSet) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in &set.file {
        let package = file.package();
        for service in &file.service {
            lines.extend(
                service.method.iter().map(|m| format!("rpc {package}.{}/{}", service.name(), m.name())),
            );
        }
        for kind in &file.enum_type {
            lines.extend(
                kind.value
                    .iter()
                    .map(|v| format!("enum {package}.{} {} = {}", kind.name(), v.name(), v.number())),
            );
        }
        for message in &file.message_type {
            lines.extend(message.field.iter().map(|field| {
                let kind = type_of(message, field);
                format!("field {package}.{} {kind} {} = {}", message.name(), field.name(), field.number())
            }));
        }
    }
    lines
}

fn type_of(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let is_map = message.nested_type.iter().any(|nested| {
        nested.options.as_ref().is_some_and(|options| options.map_entry())
            && field.type_name().ends_with(&format!(".{}", nested.name()))
    });
    if is_map {
        return "map<string, string>".to_owned();
    }
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        Type::String => "string".to_owned(),
        Type::Int32 => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Float => "float".to_owned(),
        other => format!("{other:?}"),
    };
    if field.label() == Label::Repeated { format!("repeated {kind}") } else { kind }
}
