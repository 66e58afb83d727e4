typedef int settings_layer_is_empty;
