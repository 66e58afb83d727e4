typedef int migrate_layer_is_empty;
