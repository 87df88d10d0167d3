"""渝研: from university platforms to the indicator marts of Chongqing's graduate education plan."""
