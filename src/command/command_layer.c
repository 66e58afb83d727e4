typedef int command_layer_is_empty;
